"""Where the time of training goes: phases of a step, ceilings, one verdict, one change to try, stacks and traces."""
