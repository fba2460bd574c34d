import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import Joi, { type Schema } from 'joi';
import { invalidConfig } from '../../../options/invalid-config.js';

/** Which certificates to trust, and the client's own certificate. All are PEM texts, not paths. */
export interface ValkeyTlsOptions {
  /** The certificate authorities to trust, one or more, instead of the list that Node contains. */
  readonly ca?: string | Buffer;

  /** The client's certificate, with its chain if there is one. Needs `key`. */
  readonly cert?: string | Buffer;

  /** The private key of `cert`, without a passphrase. */
  readonly key?: string | Buffer;

  /**
   * The name that the server's certificate must have.
   * @default the host of the endpoint
   */
  readonly servername?: string;
}

/** The options after validation, as strings. */
export interface ValkeyTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

const STORE = 'ValkeySessionStore';
const pem = Joi.alternatives(Joi.string().min(1), Joi.binary());

const SHAPES = '{{#label}} must be a boolean, or an object with ca, cert, key, servername';

export const tlsSwitch: Schema = Joi.boolean().messages({ 'boolean.base': SHAPES });
export const tlsDetails: Schema = Joi.object({ ca: pem, cert: pem, key: pem, servername: Joi.string().hostname() });

/**
 * Node ignores a `ca` without certificates, and reports other mistakes only while it connects.
 * @throws AplSessionError `config.invalid`
 */
export function parseValkeyTls(options: ValkeyTlsOptions): ValkeyTls {
  const ca = options.ca?.toString();
  const cert = options.cert?.toString();
  const key = options.key?.toString();
  const { servername } = options;
  if (ca !== undefined) readCertificates('tls.ca', ca);
  if ((cert === undefined) !== (key === undefined))
    throw invalidConfig(STORE, "give 'tls.cert' and 'tls.key' together");
  if (cert !== undefined && key !== undefined) assertPair(cert, key);
  if (servername !== undefined && isIP(servername)) {
    throw invalidConfig(
      STORE,
      "'tls.servername' is an IP address; give a host name, or put the address in the endpoint",
    );
  }
  return Object.freeze({ ...(ca && { ca }), ...(cert && key && { cert, key }), ...(servername && { servername }) });
}

function assertPair(cert: string, key: string): void {
  const [own] = readCertificates('tls.cert', cert);
  if (!own?.checkPrivateKey(readKey(key)))
    throw invalidConfig(STORE, "'tls.key' does not belong to 'tls.cert'; give the key of that certificate");
  try {
    createSecureContext({ cert, key });
  } catch {
    throw invalidConfig(STORE, "OpenSSL does not accept 'tls.cert' and 'tls.key'; check their algorithm and key size");
  }
}

function readCertificates(name: string, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
  try {
    const certificates = blocks.map((block) => new X509Certificate(block));
    if (certificates.length > 0) return certificates;
  } catch {
    // the error below is about a broken certificate, too
  }
  throw invalidConfig(
    STORE,
    `'${name}' is not a valid PEM certificate; give its text, readFileSync(path, 'utf8'), not a path`,
  );
}

function readKey(key: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    throw invalidConfig(
      STORE,
      "'tls.key' is not a PEM private key without a passphrase; give its text, readFileSync(path, 'utf8'), not a path",
    );
  }
}
