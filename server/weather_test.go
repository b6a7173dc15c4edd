package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"testing"
	"time"

	"windlass/server/sandbox"
)

// TestStorm is the main job while one request in ten of the anchor's own to
// Horizon fails, in every way the sandbox knows, from the making of its accounts
// on. Wallets, which give up at one fault, have the clean network.
//
// STORM_SEED and STORM_RATE choose other weather.
func TestStorm(t *testing.T) {
	t.Parallel()
	setting := func(name, usual string) string {
		if s := os.Getenv(name); s != "" {
			return s
		}
		return usual
	}
	seed, err := strconv.ParseUint(setting("STORM_SEED", "39"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	rate, err := strconv.ParseFloat(setting("STORM_RATE", "0.1"), 64)
	if err != nil {
		t.Fatal(err)
	}
	n, err := sandbox.Open(sandbox.Config{CloseEvery: 500 * time.Millisecond, StreamEvery: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	weather := sandbox.NewWeather(n, seed)
	// Where nothing is answered the connection is cut after a while, lest the
	// story be mostly waiting.
	if _, err := weather.Set(sandbox.Fault{Kind: sandbox.Anything, Rate: rate, Wait: sandbox.Duration(2 * time.Second)}); err != nil {
		t.Fatal(err)
	}
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	clean, stormy := serve(n.Handler()), serve(weather.Handler())
	t.Cleanup(func() { // before the servers: it ends their streams
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	_, at := dev(t, t.TempDir(), "--public-port", "0", "--admin-port", "0", "--horizon", stormy)
	at.Horizon = clean
	mainJob(t, at, func() {})
	struck := 0
	for _, f := range weather.Faults() {
		struck += f.Struck
	}
	t.Logf("%d requests failed", struck)
	if rate > 0 && struck == 0 {
		t.Error("the weather was calm")
	}
}
