// @peculiar/x509 resolves its parts through tsyringe, which needs this polyfill before it is loaded.
import 'reflect-metadata';

export { PemConverter, Pkcs10CertificateRequestGenerator } from '@peculiar/x509';
