package main

import (
	"bufio"
	"bytes"
	"io"
	"math/rand"
	"net"
	"net/http"
	"sync"
	"time"
)

// repeat has all connections send their requests until the end, and waits for the last answers.
func repeat(options options, requests requests) {
	end := options.begin()
	together(options.connections, func(i int) {
		client := client{options: options, end: end, request: requests(i)}
		client.run(rand.New(rand.NewSource(int64(i))))
	})
}

// together runs something for each of a number of connections, and waits for the last.
func together(connections int, run func(i int)) {
	var all sync.WaitGroup
	for i := 0; i < connections; i++ {
		all.Add(1)
		go func(i int) {
			defer all.Done()
			run(i)
		}(i)
	}
	all.Wait()
}

type client struct {
	options    options
	end        time.Time
	request    request
	connection net.Conn
	reader     *bufio.Reader
}

func (c *client) run(random *rand.Rand) {
	defer c.close()
	next := time.Now()
	for done := 0; c.options.requests == 0 || done < c.options.requests; done++ {
		next = c.turn(next, random)
		if !next.Before(c.end) {
			return
		}
		time.Sleep(time.Until(next))
		if c.exchange() != nil {
			failed.Add(1)
			c.close()
			// So that a service that is gone is not asked in a tight loop.
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// turn is when the next request is due: now, or a random time after the last one was.
func (c *client) turn(last time.Time, random *rand.Rand) time.Time {
	now := time.Now()
	if c.options.rate == 0 {
		return now
	}
	mean := float64(c.options.connections) / c.options.rate
	gap := func() time.Duration { return toDuration(random.ExpFloat64() * mean) }
	next := last.Add(gap())
	for next.Before(now) {
		next = next.Add(gap())
		heldBack.Add(1)
	}
	return next
}

// exchange sends the request while it waits for the answer, which may come early.
func (c *client) exchange() error {
	started := time.Now()
	if err := c.connect(started.Add(c.options.patience)); err != nil {
		return err
	}
	sent, connection := make(chan error, 1), c.connection
	go func() { sent <- c.request.send(connection) }()
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	answers[answer.StatusCode].add(time.Since(started))
	if !c.right(answer, body) {
		wrong.Add(1)
	}
	// Who answers early and keeps the connection reads the rest.
	if answer.Close || c.options.fresh || <-sent != nil {
		c.close()
	}
	return nil
}

func (c *client) right(answer *http.Response, body []byte) bool {
	switch answer.StatusCode {
	case http.StatusOK:
		return bytes.Contains(body, c.request.expected)
	case http.StatusServiceUnavailable:
		return answer.Header.Get("Retry-After") != ""
	}
	return true
}

func (c *client) connect(deadline time.Time) error {
	if c.connection == nil {
		connection, err := net.DialTimeout("tcp", c.options.address, c.options.patience)
		if err != nil {
			return err
		}
		c.connection, c.reader = connection, bufio.NewReader(connection)
	}
	return c.connection.SetDeadline(deadline)
}

func (c *client) close() {
	if c.connection != nil {
		c.connection.Close()
		c.connection = nil
	}
}
