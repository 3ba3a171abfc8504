"""A client that is in notices little of a crowd of TLS handshakes, half-made or whole: as test_hostile.py has it, on a server that speaks TLS, with a probe that does."""
import pathlib
import tempfile

import test_hostile
from certificates import Authority
from rig import harness


class Handshakes(test_hostile.Measured):
    def prepare(self):
        authority = Authority(pathlib.Path(self.enterContext(tempfile.TemporaryDirectory(prefix="net-"))))
        cert, key = authority.issue("server")
        with open(self.server.directory / "settings.yaml", "a", encoding="utf-8") as settings:
            settings.write(f"tls-cert: {cert}\ntls-key: {key}\n")
        self.server.trust(authority.cert)

    def test_half_made_handshakes(self):
        self.stand("half_handshakes")

    def test_whole_handshakes(self):
        self.stand("whole_handshakes")


if __name__ == "__main__":
    harness.main()
