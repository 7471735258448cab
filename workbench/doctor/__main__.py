"""The process that probes: see workbench.doctor.worker."""

from workbench.doctor.worker import serve

serve()
