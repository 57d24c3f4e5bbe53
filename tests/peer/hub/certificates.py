"""Certificates of the tests' own, made by the openssl program."""

from programs import run


class Authority:
    """A certificate authority in `folder`: file `certificate`, and certificates that it signs."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate, self.key = folder / "authority.pem", folder / "authority.key"
        subject = ["-subj", "/CN=Authority of the tests", "-days", "2", *self.new_key(self.key)]
        run(["openssl", "req", "-x509", *subject, "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-out", self.certificate])

    @staticmethod
    def new_key(path):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path]

    def sign(self, *names):
        """(certificate, key) for names as "DNS:localhost", "IP:127.0.0.1"."""
        stem = names[0].split(":")[1]
        request, certificate, key = (self.folder / f"{stem}.{ending}" for ending in ("csr", "pem", "key"))
        extensions = self.folder / f"{stem}.ext"
        extensions.write_text(f"subjectAltName={','.join(names)}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        run(["openssl", "req", "-new", "-subj", f"/CN={stem}", *self.new_key(key), "-out", request])
        signer = ["-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "2", "-extfile", extensions]
        run(["openssl", "x509", "-req", "-in", request, *signer, "-out", certificate])
        return certificate, key
