module framesign/reference

go 1.19
