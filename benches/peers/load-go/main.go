// A load for services with the endpoint POST /token, which checks each answer and keeps apart what
// was accepted and what was shed. It prints a figure a line, name and value; times are milliseconds.
//
//	load tokens ADDR:PORT [-body BYTES] [-connections N] [-rate N] [-fresh] [-requests N] [-seconds N]
//	load health ADDR:PORT [the same but -body]
//	load slow   ADDR:PORT [-kind head|body] [-connections N] [-pause MS] [-seconds N]
//
// tokens and health send a request after another on each connection, or, with -rate, so many a
// second in all, at random times, no matter how long the answers take: a connection that still waits
// when its time has come leaves that request out and counts it as `held-back`. SECRET has the secret
// that the answers are held against.
package main

import (
	"flag"
	"log"
	"os"
	"time"
)

type options struct {
	address     string
	body        int64
	connections int
	rate        float64
	fresh       bool
	requests    int
	patience    time.Duration
	seconds     time.Duration
	kind        string
	pause       time.Duration
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("expected: load tokens|health|slow ADDR:PORT [OPTION]…")
	}
	options := parse(os.Args[2], os.Args[3:])
	switch os.Args[1] {
	case "tokens":
		repeat(options, newTokenRequests(os.Getenv("SECRET"), options))
	case "health":
		repeat(options, newHealthRequests(options))
	case "slow":
		crawl(options)
	default:
		log.Fatalf("expected tokens, health or slow, found %s", os.Args[1])
	}
	report()
}

func parse(address string, arguments []string) options {
	set := flag.NewFlagSet("load", flag.ExitOnError)
	body := set.Int64("body", 1024, "bytes of each body, at least 8")
	connections := set.Int("connections", 1, "how many at a time")
	rate := set.Float64("rate", 0, "requests a second in all; 0: each after the one before")
	fresh := set.Bool("fresh", false, "a connection for each request, made within its time")
	requests := set.Int("requests", 0, "requests of each connection; 0: no limit")
	seconds := set.Float64("seconds", 5, "no request starts after so many seconds")
	patience := set.Float64("patience", 600, "seconds until a request counts as failed")
	kind := set.String("kind", "head", "what is sent a byte at a time: head or body")
	pause := set.Int("pause", 100, "milliseconds between two bytes")
	_ = set.Parse(arguments)
	return options{
		address: address, body: *body, connections: *connections, rate: *rate, fresh: *fresh,
		requests: *requests, patience: toDuration(*patience), kind: *kind,
		pause:   time.Duration(*pause) * time.Millisecond,
		seconds: toDuration(*seconds),
	}
}

func toDuration(seconds float64) time.Duration {
	return time.Duration(seconds * float64(time.Second))
}
