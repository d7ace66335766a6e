module framesign/peers/load

go 1.19
