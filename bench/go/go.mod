module unikernel/bench

go 1.19
