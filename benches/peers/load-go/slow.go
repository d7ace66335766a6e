package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"time"
)

const (
	slowHead = "POST /token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
	slowPath = "GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
)

// crawl holds all connections open, a byte at a time, and opens anew each that the service ends.
func crawl(options options) {
	end := options.begin()
	together(options.connections, func(i int) {
		// Spread over a pause, so that not all send at once.
		time.Sleep(options.pause * time.Duration(i) / time.Duration(options.connections))
		for time.Now().Before(end) {
			if crawlOnce(options, end) != nil {
				failed.Add(1)
				time.Sleep(options.pause)
			}
		}
	})
}

func crawlOnce(options options, end time.Time) error {
	connection, err := net.DialTimeout("tcp", options.address, options.patience)
	if err != nil {
		return err
	}
	defer connection.Close()
	started := time.Now()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if answer, err := http.ReadResponse(bufio.NewReader(connection), nil); err == nil {
			answers[answer.StatusCode].add(time.Since(started))
		}
	}()

	at := 0
	if options.kind == "body" {
		at = len(slowHead)
		fmt.Fprint(connection, slowHead)
	}
	pulse := time.NewTicker(options.pause)
	defer pulse.Stop()
	for time.Now().Before(end) {
		select {
		case <-ended:
			cut.add(time.Since(started))
			return nil
		case <-pulse.C:
			// That it fails is seen by the reader.
			_, _ = connection.Write([]byte{slowByte(options.kind, at)})
			at++
		}
	}
	return nil
}

// slowByte is the next byte of a head that never ends, or of a body.
func slowByte(kind string, at int) byte {
	if kind == "head" && at < len(slowPath) {
		return slowPath[at]
	}
	return 'x'
}
