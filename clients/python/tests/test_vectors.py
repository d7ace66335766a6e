"""Every signing vector, read strictly and leniently, in every way of cutting it."""

import unittest

from support import CREDENTIALS, DATE, vectors, ways

from framesign import FrameError, FrameHasher, Rules, SigningKey
from framesign.key import string_to_sign


def stages(frame, rules):
    """The three stages, or the kind and the offset of the error."""
    hasher = FrameHasher(rules)
    try:
        for chunk in frame:
            hasher.update(chunk)
        canonical = hasher.finish()
    except FrameError as error:
        return error.kind, error.offset
    return canonical, string_to_sign(canonical), SigningKey(CREDENTIALS, DATE).sign(canonical)


def expected(folder, reading):
    """What the files of a vector say, without the offset."""
    name = reading if any(folder.glob(f"{reading}.*")) else "both"
    error = folder / f"{name}.error"
    if error.exists():
        return error.read_text().strip()
    texts = [folder / f"{name}.{stage}" for stage in ("string-to-sign", "signature")]
    canonical = (folder / f"{name}.canonical-request").read_bytes()
    return (canonical, *(path.read_text().strip() for path in texts))


class Vectors(unittest.TestCase):
    def test_every_vector_in_both_readings(self):
        for folder, frame in vectors():
            for reading in ("strict", "lenient"):
                with self.subTest(vector=folder.name, reading=reading):
                    self.check(frame, Rules(strict=reading == "strict"), expected(folder, reading))

    def check(self, frame, rules, wanted):
        whole = stages([frame], rules)
        self.assertEqual(whole[0] if isinstance(wanted, str) else whole, wanted)
        for chunks in ways(frame):
            # The offset too is the same, however the frame is cut.
            self.assertEqual(stages(chunks, rules), whole)


if __name__ == "__main__":
    unittest.main()
