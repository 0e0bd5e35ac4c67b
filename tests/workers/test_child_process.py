"""Child processes limit their memory also where the system has already limited it."""

from service.workers.child_process import start_child

_LIMIT_TWICE = """
import resource
from service.workers.child_process import data_bytes, limit_memory
base = data_bytes()
resource.setrlimit(resource.RLIMIT_DATA, (base + (2 << 30), base + (2 << 30)))
for memory in (1 << 20, 1 << 30):
    limit_memory(base, memory)
print(resource.getrlimit(resource.RLIMIT_DATA)[0] - base)
"""


def test_a_limit_below_the_hard_limit_of_the_system_is_set_and_may_grow_again() -> None:
    with start_child(_LIMIT_TWICE) as child:
        answer, _ = child.communicate(timeout=60)
    assert int(answer) == 1 << 30
