"""The collector and what a process keeps: it looks no more at what was loaded, and still clears away what comes and goes."""

import subprocess
import sys
import textwrap


def test_the_collector_passes_over_the_book_and_still_finds_circles() -> None:
    """In a process of its own: what is frozen stays so until its end."""
    story = """
        import gc, weakref
        from selldesk.book.engine import EngineBook
        from selldesk.kernel.memory import exclude_loaded_from_collection

        book = EngineBook()
        for item in range(5_000):
            book.put_order(item, 1, 10, 1)
        before = len(gc.get_objects())
        exclude_loaded_from_collection()
        assert len(gc.get_objects()) < before / 10, (before, len(gc.get_objects()))

        class Ring:
            pass

        ring = Ring()
        ring.self = ring
        seen = weakref.ref(ring)
        del ring
        gc.collect()
        assert seen() is None, "a circle that came later"

        kept = weakref.ref(book)
        del book
        assert kept() is None, "what was loaded is freed by its count when it is replaced"
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(story)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
