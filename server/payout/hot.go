package payout

import (
	"context"
	"strings"
	"time"

	"windlass/server/anchor"
)

// Hot is how much of an asset an account of ours should hold: too little, and
// payouts will wait; too much, and a thief of the key gets more than is needed.
type Hot struct {
	Account          string
	Asset            anchor.Asset
	Minimum, Maximum anchor.Amount // 0 is no bound
}

// Their alarms keep nothing from being paid.
const hotMinimum, hotMaximum = "hot_minimum ", "hot_maximum "

// Warns reports whether the alarm keeps nothing from being paid.
func (a Alarm) Warns() bool {
	return strings.HasPrefix(a.Key, hotMinimum) || strings.HasPrefix(a.Key, hotMaximum)
}

// hotEvery is how often the balances are looked at.
const hotEvery = 30 * time.Second

// hotLoop raises an alarm for each balance that is outside its bounds.
func (e *Engine) hotLoop(ctx context.Context) {
	for first := true; first || wait(ctx, min(hotEvery, 100*e.Poll)); first = false {
		for _, h := range e.Hot {
			if err := e.lookHot(ctx, h); err != nil && ctx.Err() == nil {
				e.logger.WarnContext(ctx, "a balance could not be looked at", "account", h.Account, "asset", h.Asset.String(), "error", err)
			}
		}
	}
}

func (e *Engine) lookHot(ctx context.Context, h Hot) error {
	a, err := e.ledger.Account(ctx, h.Account)
	if err != nil {
		return err
	}
	has, code := payable(a, h.Asset), h.Asset.Symbol()
	low, high := hotMinimum+h.Account+" "+h.Asset.String(), hotMaximum+h.Account+" "+h.Asset.String()
	e.alarm(ctx, h.Minimum != 0 && has < h.Minimum, low, "the account "+h.Account+" has "+has.String()+" "+code+" left, less than hot_minimum, "+h.Minimum.String()+": send it some")
	e.alarm(ctx, h.Maximum != 0 && has > h.Maximum, high, "the account "+h.Account+" has "+has.String()+" "+code+", more than hot_maximum, "+h.Maximum.String()+": put some of it away")
	return nil
}

// alarm raises an alarm while it is on, and lowers it when it is not.
func (e *Engine) alarm(ctx context.Context, on bool, key, text string) {
	if on {
		e.raise(ctx, key, text)
	} else {
		e.lower(ctx, key)
	}
}
