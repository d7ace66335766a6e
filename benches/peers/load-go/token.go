package main

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log"
)

// What a connection sends, again and again, and what it waits for.
type request struct {
	head     []byte
	zeros    int64
	tail     []byte
	expected []byte
}

// What makes the request of each connection.
type requests func(connection int) request

const tailLength = 8

var zeros = make([]byte, 256*1024)

// newTokenRequests makes bodies of zeros that end in the number of their connection, so that an
// answer to another one's request is seen. The zeros are hashed once for all.
func newTokenRequests(secret string, options options) requests {
	if options.body < tailLength {
		log.Fatalf("expected a body of at least %d bytes, found %d", tailLength, options.body)
	}
	count := options.body - tailLength
	inner, outer := keyed(secret)
	if _, err := io.CopyN(inner, endless{}, count); err != nil {
		log.Fatal(err)
	}
	hashed, err := inner.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	prepared, err := outer.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		log.Fatal(err)
	}
	head := fmt.Sprintf("POST /token HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", options.address, options.body)
	return func(connection int) request {
		tail := []byte(fmt.Sprintf("%0*d", tailLength, connection))
		token := sum(prepared, sum(hashed, tail))
		return request{[]byte(head), count, tail, []byte(`"` + hex.EncodeToString(token) + `"`)}
	}
}

func newHealthRequests(options options) requests {
	head := fmt.Sprintf("GET /health HTTP/1.1\r\nHost: %s\r\n\r\n", options.address)
	return func(int) request { return request{head: []byte(head), expected: []byte(`"pass"`)} }
}

// keyed is HMAC (RFC 2104) opened up: its two hashes, each after the key, for a secret of a block at
// the most.
func keyed(secret string) (inner, outer hash.Hash) {
	if secret == "" || len(secret) > sha256.BlockSize {
		log.Fatalf("expected a SECRET of 1 to %d bytes, found %d", sha256.BlockSize, len(secret))
	}
	key := make([]byte, sha256.BlockSize)
	copy(key, secret)
	pad := func(with byte) hash.Hash {
		padded := sha256.New()
		for _, b := range key {
			padded.Write([]byte{b ^ with})
		}
		return padded
	}
	return pad(0x36), pad(0x5c)
}

func sum(state, rest []byte) []byte {
	hash := sha256.New()
	if err := hash.(encoding.BinaryUnmarshaler).UnmarshalBinary(state); err != nil {
		log.Fatal(err)
	}
	hash.Write(rest)
	return hash.Sum(nil)
}

// endless reads as zeros.
type endless struct{}

func (endless) Read(into []byte) (int, error) { return copy(into, zeros), nil }

// send writes the request. One with a small body goes in one piece.
func (r *request) send(to io.Writer) error {
	if r.zeros <= int64(len(zeros)) {
		_, err := to.Write(bytes.Join([][]byte{r.head, zeros[:r.zeros], r.tail}, nil))
		return err
	}
	if _, err := to.Write(r.head); err != nil {
		return err
	}
	for left := r.zeros; left > 0; {
		piece := zeros[:min(left, int64(len(zeros)))]
		if _, err := to.Write(piece); err != nil {
			return err
		}
		left -= int64(len(piece))
	}
	_, err := to.Write(r.tail)
	return err
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
}
