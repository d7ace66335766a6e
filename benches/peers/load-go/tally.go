package main

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"
)

// histogram counts durations in buckets each about 1 % wider than the one before.
type histogram struct {
	buckets [64 * bucketsPerDoubling]atomic.Uint64
}

const bucketsPerDoubling = 64

func (h *histogram) add(duration time.Duration) {
	nanoseconds := math.Max(1, float64(duration))
	h.buckets[int(math.Log2(nanoseconds)*bucketsPerDoubling)].Add(1)
}

func (h *histogram) count() (sum uint64) {
	for i := range h.buckets {
		sum += h.buckets[i].Load()
	}
	return sum
}

// quantile is the time, in milliseconds, within which such a share was done.
func (h *histogram) quantile(share float64) float64 {
	rank := uint64(math.Ceil(share * float64(h.count())))
	for i := range h.buckets {
		if seen := h.buckets[i].Load(); rank > seen {
			rank -= seen
			continue
		}
		return math.Exp2(float64(i+1)/bucketsPerDoubling) / 1e6
	}
	return 0
}

// What came of the requests of all connections.
var (
	answers  [600]histogram // by status
	wrong    atomic.Uint64  // another token than expected, or a 503 without Retry-After
	failed   atomic.Uint64  // no answer
	heldBack atomic.Uint64  // left out since the connection still waited
	cut      histogram      // how long connections lived that the service ended
)

var began time.Time

// begin is when the load does, after all preparation; it says when it ends.
func (o *options) begin() time.Time {
	began = time.Now()
	return began.Add(o.seconds)
}

func report() {
	fmt.Printf("seconds %.3f\n", time.Since(began).Seconds())
	for status := range answers {
		print(fmt.Sprint(status), &answers[status])
	}
	print("cut", &cut)
	fmt.Printf("wrong %d\nfailed %d\nheld-back %d\n", wrong.Load(), failed.Load(), heldBack.Load())
}

func print(name string, times *histogram) {
	count := times.count()
	if count == 0 {
		return
	}
	fmt.Printf("%s.count %d\n", name, count)
	for _, share := range []float64{0.5, 0.99, 0.999, 1} {
		fmt.Printf("%s.p%g %.3f\n", name, share*100, times.quantile(share))
	}
}
