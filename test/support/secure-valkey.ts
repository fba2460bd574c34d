import type { ValkeySessionStoreOptions } from '../../lib/valkey.js';
import { CertificateAuthority, type Identity } from './certificates.js';
import { describeWithTlsValkey, type TestValkey } from './valkey.js';

/** A Valkey that speaks TLS, wants client certificates, and has an ACL user with few rights. */
export interface SecureValkey {
  readonly plain: TestValkey;
  /** `host:port` of the TLS listener, by the name that its certificate has. */
  readonly endpoint: string;
  readonly authority: CertificateAuthority;
  /** The certificate of a client, with its key. */
  readonly client: Identity;
  /** The options with which a store connects as the user of {@link grant}. */
  readonly options: ValkeySessionStoreOptions & { readonly tls: object };
  /** Gives the user exactly these rights, with {@link PASSWORD}, and forgets what was denied before. */
  grant(...rules: string[]): Promise<void>;
  /** The commands, keys and logins that the ACL has denied to the user since then. */
  denied(): Promise<string[]>;
  /** The server shows another of its certificates from now on. */
  present(certificate: keyof typeof SERVER_CERTIFICATES): Promise<void>;
}

export const USERNAME = 'label-store/@:?#';
/** Every character that means something in a URL. */
export const PASSWORD = `p@ss:/w%rd?#[]!$&'()*+,;= "%41é✓`;

const VALID = { from: -1, to: 90 };
const SERVER_CERTIFICATES = {
  server: { hosts: ['localhost', '127.0.0.1'], validDays: VALID },
  expired: { hosts: ['localhost', '127.0.0.1'], validDays: { from: -3, to: -2 } },
  early: { hosts: ['localhost', '127.0.0.1'], validDays: { from: 2, to: 3 } },
  elsewhere: { hosts: ['valkey.elsewhere.example'], validDays: { from: -1, to: 1 } },
};

/** A suite on such a Valkey; the user has no rights at first. */
export function describeWithSecureValkey(title: string, define: (server: () => SecureValkey) => void): void {
  let authority: CertificateAuthority;
  const files = (): Record<string, string> => {
    authority = new CertificateAuthority('Authority of the tests');
    const issued = Object.entries(SERVER_CERTIFICATES).flatMap(([name, wish]) => {
      const { cert, key } = authority.issue({ commonName: 'valkey', ...wish });
      return [[`${name}.pem`, cert] as const, [`${name}.key`, key] as const];
    });
    return { 'ca.pem': authority.cert, ...Object.fromEntries(issued) };
  };
  describeWithTlsValkey(title, files, (plain) => {
    let secure: SecureValkey;
    before(async () => {
      secure = securedBy(plain(), authority);
      await secure.grant();
    });
    define(() => secure);
  });
}

function securedBy(plain: TestValkey, authority: CertificateAuthority): SecureValkey {
  const { tls, admin } = plain;
  if (!tls) throw new Error('This Valkey does not listen with TLS.');
  const endpoint = `localhost:${tls.port}`;
  const client = authority.issue({ commonName: 'client' });
  return {
    plain,
    endpoint,
    authority,
    client,
    options: { endpoint, tls: { ca: authority.cert, ...client }, username: USERNAME, password: PASSWORD },
    async grant(...rules) {
      await admin.call('ACL', 'SETUSER', USERNAME, 'reset', 'on', `>${PASSWORD}`, ...rules);
      await admin.call('ACL', 'LOG', 'RESET');
    },
    async denied() {
      const entries = (await admin.call('ACL', 'LOG')) as unknown[][];
      return entries.map((entry) => {
        const { reason, object } = Object.fromEntries(pairs(entry)) as { reason: string; object: string };
        return `${reason} ${object}`;
      });
    },
    async present(certificate) {
      const path = `${tls.dir}/${certificate}`;
      await admin.call('CONFIG', 'SET', 'tls-cert-file', `${path}.pem`, 'tls-key-file', `${path}.key`);
    },
  };
}

function pairs(flat: readonly unknown[]): Array<[unknown, unknown]> {
  return flat.flatMap((value, index) => (index % 2 ? [] : [[value, flat[index + 1]] as [unknown, unknown]]));
}
