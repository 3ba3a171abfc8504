"""certificates: an authority and what it signs, made by the program openssl in a directory of their own; they last for a day."""
import pathlib
import subprocess


class Authority:
    def __init__(self, directory, name="authority"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        self.name = name
        self.cert, self.key = self._paths(name)
        self._openssl("req", "-x509", *self._fresh(), "-days", "1", "-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert)

    def _paths(self, name):
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    @staticmethod
    def _fresh():
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"

    @staticmethod
    def _openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", ended=False, days=1):
        """A certificate and its key, as paths; `ended`: it was good until yesterday."""
        cert, key = self._paths(name)
        request, about = cert.with_suffix(".request"), cert.with_suffix(".ext")
        about.write_text(f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\n", encoding="utf-8")
        self._openssl("req", "-new", *self._fresh(), "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        lasts = ["-days", "-1" if ended else str(days)]
        self._openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", *lasts, "-extfile", about, "-out", cert)
        key.chmod(0o600)
        return cert, key
