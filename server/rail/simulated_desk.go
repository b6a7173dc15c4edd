package rail

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"

	"windlass/server/anchor"
)

// The simulated bank's cash desk. Cash that an order pays out lies there, and is
// handed to whoever shows its code, once. What nobody collects in time goes back.

// newCode is a code that nobody guesses: nine digits, as people read them out.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%09d", n), nil
}

// notReady is the desk's answer to every code that brings nothing, so that it tells
// strangers nothing.
var notReady = invalid("code", "no cash lies ready under this code: it may have been collected, or have gone back")

// maxMisses is how many codes that never were any the desk takes within missesWithin.
// Nobody finds one of a thousand million at that pace while its cash lies there.
const (
	maxMisses    = 10
	missesWithin = time.Minute
)

// tooManyTries is the desk's answer to every code, a right one too, once so many were
// tried: else it would still tell which one is right.
var tooManyTries = &anchor.Error{Kind: anchor.Unavailable, Message: "too many wrong codes were tried: the desk opens again in a minute"}

// HandOut gives the cash under a code to whoever shows it.
func (b *Simulated) HandOut(ctx context.Context, code string) error {
	_, err := b.handOut(ctx, code)
	return err
}

func (b *Simulated) handOut(ctx context.Context, code string) (transfer, error) {
	code = strings.NewReplacer(" ", "", "-", "").Replace(code)
	if code == "" {
		return transfer{}, invalid("code", "code is required")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.misses = slices.DeleteFunc(b.misses, func(at time.Time) bool { return now.Sub(at) >= missesWithin })
	if len(b.misses) >= maxMisses {
		return transfer{}, tooManyTries
	}
	all, err := b.query(ctx, `code = $1`, code)
	if err != nil {
		return transfer{}, err
	}
	if len(all) == 0 {
		b.misses = append(b.misses, now)
	}
	if len(all) == 0 || all[0].state(now) != Ready {
		return transfer{}, notReady
	}
	t := all[0]
	t.fate, t.readyAt = Settled, now.UnixMicro()
	if _, err := b.db.ExecContext(ctx, `UPDATE transfers SET fate = $1, settles_at = $2 WHERE seq = $3`, t.fate, t.readyAt, t.seq); err != nil {
		return transfer{}, fmt.Errorf("simulated bank: %w", err)
	}
	nudge(b.changed)
	return t, nil
}

func (b *Simulated) postPickup(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var in struct {
		Code string `json:"code"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return 0, nil, err
	}
	t, err := b.handOut(r.Context(), in.Code)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, t.line(time.Now()), nil
}
