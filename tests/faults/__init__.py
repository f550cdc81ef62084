"""That the service keeps working: under load, overload and clients that mean no good.

`make faults` runs it all, one test after the other, and prints what was measured beside what is
asked; `make test` runs the same in small. What is correct is asserted: statuses, bodies, nothing
lost, nothing left over. Times are reported alone, since they are the machine's too.
"""
