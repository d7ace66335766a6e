module framesign/peers/token

go 1.19
