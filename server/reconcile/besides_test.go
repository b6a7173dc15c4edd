package reconcile_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"

	"github.com/stellar/go-stellar-sdk/txnbuild"

	"windlass/server/reconcile"
)

// What moved our money without being a payment is not booked yet while the anchor
// is down, and booked when it is back.
func TestItAgreesAboutWhatIsNoPayment(t *testing.T) {
	w := newWorld(t)
	stop := w.start()
	w.deposits(1)
	w.untilZero()
	stop()
	w.do(w.customer, nil, []txnbuild.Operation{&txnbuild.CreateClaimableBalance{
		Amount: "30", Asset: w.line(), Destinations: []txnbuild.Claimant{txnbuild.NewClaimant(w.distribution.Address(), nil)},
	}})
	w.agrees() // it is not ours yet
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.plain.URL()+"/claimable_balances?claimant="+w.distribution.Address(), nil)
	must(t, err)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	var page struct {
		Embedded struct {
			Records []struct {
				ID string `json:"id"`
			} `json:"records"`
		} `json:"_embedded"`
	}
	must(t, json.NewDecoder(resp.Body).Decode(&page))
	hash := w.do(w.distribution, nil, []txnbuild.Operation{&txnbuild.ClaimClaimableBalance{BalanceID: page.Embedded.Records[0].ID}})
	r := w.agrees()
	if !slices.ContainsFunc(r.Items, func(i reconcile.Item) bool {
		return i.Why == reconcile.NotRead && i.Reference == hash && i.Asset == w.asset && i.Amount.String() == "30"
	}) {
		t.Errorf("what was claimed is not listed:\n%s", text(t, r))
	}
	w.start()
	w.untilZero()
	w.agrees()
}
