"""The process that probes: see workbench.doctor.worker."""

from workbench.doctor.worker import serve
from workbench.memory import keep_freed_memory

keep_freed_memory()
serve()
