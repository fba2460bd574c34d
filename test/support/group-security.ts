import type { ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { CertificateAuthority, type Identity } from './certificates.js';
import { describeWithValkeyGroup, type ValkeyGroup } from './valkey-group.js';
import type { TlsFiles } from './valkey-servers.js';

/** The rights that docs/operations.md and docs/high-availability.md tell operators to grant. */
export const VALKEY_RIGHTS =
  '~taint:v1:* +smembers +sadd +expire +multi +exec +echo +client|capa +info +config|get'.split(' ');
/** The right that `durability.replicas` needs. */
export const WAIT_RIGHT = '+wait';
export const CLUSTER_RIGHTS = ['+cluster|slots', '+asking'];
export const SENTINEL_RIGHTS = ['+sentinel|get-master-addr-by-name'];
/** The rights that a Sentinel client of ioredis or iovalkey needs besides {@link SENTINEL_RIGHTS}. */
export const SENTINEL_CLIENT_RIGHTS = ['+sentinel|sentinels', '+subscribe', '&+switch-master', '+client|setinfo'];

export const LABELS_USER = { username: 'labels', password: 'of-valkey' };
export const SENTINEL_CREDENTIALS = { sentinelUsername: 'finder', sentinelPassword: 'of-sentinel' };

/** TLS with client certificates and ACL users, for a group of processes. */
export class GroupSecurity {
  readonly authority = new CertificateAuthority('Authority of the tests');
  readonly client: Identity = this.authority.issue({ commonName: 'client' });

  files(): TlsFiles {
    const { cert, key } = this.authority.issue({ commonName: 'valkey', hosts: ['localhost', '127.0.0.1'] });
    return { 'ca.pem': this.authority.cert, 'server.pem': cert, 'server.key': key };
  }

  get options(): ValkeySessionStoreOptions {
    return { tls: { ca: this.authority.cert, ...this.client }, ...LABELS_USER };
  }
}

/**
 * A suite on a group of processes: in plain text, or over TLS with client certificates. `security()` returns a value in the
 * hooks and tests of a secure suite.
 */
export function describeWithGroup(
  title: string,
  { size, isSecure }: { readonly size: number; readonly isSecure: boolean },
  define: (group: () => ValkeyGroup, security: () => GroupSecurity | undefined) => void,
): void {
  let security: GroupSecurity | undefined;
  const files = (): TlsFiles => {
    security = new GroupSecurity();
    return security.files();
  };
  const suite = isSecure ? `${title}, over TLS, with the fewest rights` : title;
  describeWithValkeyGroup(suite, size, (group) => define(group, () => security), isSecure ? files : undefined);
}
