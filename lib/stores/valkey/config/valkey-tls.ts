import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import Joi, { type Schema } from 'joi';
import { AplSessionError } from '../../../contract/errors.js';

/** How to trust the server, and how to show it who we are. Certificates and keys are PEM texts, not paths. */
export interface ValkeyTlsOptions {
  /** The authorities to trust, one or more, instead of those that Node brings. */
  readonly ca?: string | Buffer;

  /** The certificate to show to the server, with its chain if there is one. Needs `key`. */
  readonly cert?: string | Buffer;

  /** The private key of `cert`, not encrypted. */
  readonly key?: string | Buffer;

  /** The name that the server's certificate must have. Default: the host of the endpoint. */
  readonly servername?: string;
}

/** The same, checked and copied. */
export interface ValkeyTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

const pem = Joi.alternatives(Joi.string().min(1), Joi.binary());

const SHAPES = '{{#label}} must be a boolean, or an object with ca, cert, key, servername';

export const tlsSwitch: Schema = Joi.boolean().messages({ 'boolean.base': SHAPES });
export const tlsDetails: Schema = Joi.object({ ca: pem, cert: pem, key: pem, servername: Joi.string().hostname() });

/** @throws AplSessionError `config.invalid`; Node would ignore a `ca` that is none, and find the rest at connection */
export function parseValkeyTls(options: ValkeyTlsOptions): ValkeyTls {
  const ca = textOf(options.ca);
  const cert = textOf(options.cert);
  const key = textOf(options.key);
  const { servername } = options;
  if (ca !== undefined) readCertificates('tls.ca', ca);
  if ((cert === undefined) !== (key === undefined)) throw invalid("'tls.cert' and 'tls.key' need each other");
  if (cert !== undefined && key !== undefined) assertPair(cert, key);
  if (servername !== undefined && isIP(servername)) {
    throw invalid("'tls.servername' must be a name; certificates of an IP address are checked against the endpoint");
  }
  return Object.freeze({ ...(ca && { ca }), ...(cert && key && { cert, key }), ...(servername && { servername }) });
}

function assertPair(cert: string, key: string): void {
  const [own] = readCertificates('tls.cert', cert);
  if (!own?.checkPrivateKey(readKey(key))) throw invalid("'tls.key' is not the key of 'tls.cert'");
  try {
    createSecureContext({ cert, key });
  } catch {
    throw invalid("'tls.cert' and 'tls.key' are not acceptable to OpenSSL");
  }
}

function readCertificates(name: string, text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----/gs) ?? [];
  try {
    const certificates = blocks.map((block) => new X509Certificate(block));
    if (certificates.length > 0) return certificates;
  } catch {
    // as if there were none
  }
  throw invalid(`'${name}' holds no PEM certificate, or a broken one; give the text, not a path`);
}

function readKey(key: string): KeyObject {
  try {
    return createPrivateKey(key);
  } catch {
    throw invalid("'tls.key' is no PEM private key without a passphrase; give the text, not a path");
  }
}

function textOf(pemText: string | Buffer | undefined): string | undefined {
  return pemText === undefined ? undefined : pemText.toString();
}

function invalid(fault: string): AplSessionError {
  return new AplSessionError('config.invalid', `ValkeySessionStore: ${fault}.`);
}
