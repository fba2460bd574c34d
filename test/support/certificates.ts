import { randomBytes } from 'node:crypto';
import forge from 'node-forge';

const { pki } = forge;

/** A certificate with its key, as PEM texts. */
export interface Identity {
  readonly cert: string;
  readonly key: string;
}

/** What a certificate is for. */
export interface CertificateWish {
  readonly commonName: string;
  /** Names and addresses of a server. */
  readonly hosts?: readonly string[];
  /** Days from now. Default -1 to 1. */
  readonly validDays?: { readonly from: number; readonly to: number };
}

const DAY_MS = 86_400_000;
const IP_SAN = 7;
const NAME_SAN = 2;

/** A certificate authority of its own, that lives as long as the tests. */
export class CertificateAuthority {
  readonly cert: string;
  readonly #keys = pki.rsa.generateKeyPair(2048);
  readonly #attributes: forge.pki.CertificateField[];

  constructor(commonName: string) {
    this.#attributes = [{ name: 'commonName', value: commonName }];
    const extensions = [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ];
    this.cert = this.#sign(this.#keys.publicKey, { commonName }, extensions);
  }

  issue(wish: CertificateWish): Identity {
    const keys = pki.rsa.generateKeyPair(2048);
    const extensions = [
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      ...(wish.hosts ? [{ name: 'subjectAltName', altNames: wish.hosts.map(toAltName) }] : []),
    ];
    return { cert: this.#sign(keys.publicKey, wish, extensions), key: pki.privateKeyToPem(keys.privateKey) };
  }

  #sign(publicKey: forge.pki.rsa.PublicKey, wish: CertificateWish, extensions: object[]): string {
    const { from, to } = wish.validDays ?? { from: -1, to: 1 };
    const certificate = pki.createCertificate();
    certificate.publicKey = publicKey;
    // the first byte keeps the number positive, and in its shortest form
    certificate.serialNumber = `01${randomBytes(15).toString('hex')}`;
    certificate.validity.notBefore = new Date(Date.now() + from * DAY_MS);
    certificate.validity.notAfter = new Date(Date.now() + to * DAY_MS);
    certificate.setSubject([{ name: 'commonName', value: wish.commonName }]);
    certificate.setIssuer(this.#attributes);
    certificate.setExtensions(extensions);
    certificate.sign(this.#keys.privateKey, forge.md.sha256.create());
    return pki.certificateToPem(certificate);
  }
}

function toAltName(host: string): object {
  return /^[\d.]+$/.test(host) ? { type: IP_SAN, ip: host } : { type: NAME_SAN, value: host };
}
