package payout_test

import (
	"strings"
	"testing"

	"windlass/server/anchor"
	"windlass/server/payout"
)

// Too little or too much on the account that pays is an alarm for as long as it
// is so, and stops nobody's payout.
func TestHotBalances(t *testing.T) {
	w := newWorld(t, 1)
	to := w.customers(1)
	account := w.distribution.Address()
	least, most := supply-5*anchor.One, supply+5*anchor.One
	e, _ := w.engine(func(c *payout.Config) {
		c.Hot = []payout.Hot{{Account: account, Asset: w.asset, Minimum: least, Maximum: most}, {Account: w.fee.Address(), Asset: anchor.Native}}
	})
	alarm := func(key string) {
		t.Helper()
		w.until("the alarm is "+key, func() bool {
			all := e.Status().Alarms
			return len(all) == 0 && key == "" || len(all) == 1 && strings.HasPrefix(all[0].Key, key+" "+account) && key != "" && all[0].Warns()
		})
	}
	alarm("")
	w.untilStatus(anchor.Completed, w.deposits(to...)...) // 10 leave
	alarm("hot_minimum")
	w.issue(10 * anchor.One)
	alarm("")
	w.issue(6 * anchor.One)
	alarm("hot_maximum")
	w.untilStatus(anchor.Completed, w.deposits(to...)...)
	alarm("")
	w.balanced()
}
