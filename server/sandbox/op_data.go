package sandbox

import (
	"encoding/base64"

	"github.com/stellar/go-stellar-sdk/xdr"
)

func checkManageData(_ accountID, body xdr.OperationBody) int32 {
	if name := body.ManageDataOp.DataName; name == "" || !printable(string(name)) {
		return int32(xdr.ManageDataResultCodeManageDataInvalidName)
	}
	return 0
}

func printable(text string) bool {
	for _, c := range []byte(text) {
		if c < 0x20 || c > 0x7e {
			return false
		}
	}
	return true
}

func applyManageData(s *step, body xdr.OperationBody) int32 {
	name := string(body.ManageDataOp.DataName)
	a := s.edit(s.source)
	have := a.datum(name)
	if body.ManageDataOp.DataValue == nil {
		if have == nil {
			return int32(xdr.ManageDataResultCodeManageDataNameNotFound)
		}
		s.release(have.sponsor, a, 1, s.sponsoredDatum(name))
		a.dropDatum(name)
		a.modified = s.ledger
		s.effectOn(s.actor, "data_removed", detail{"name", name})
		return 0
	}

	value := []byte(*body.ManageDataOp.DataValue)
	d := dataEntry{name: name, value: value, modified: s.ledger}
	shown := []detail{{"name", name}, {"value", base64.StdEncoding.EncodeToString(value)}}
	if have != nil {
		d.sponsor = have.sponsor
		a.setDatum(d)
		s.effectOn(s.actor, "data_updated", shown...)
		return 0
	}
	var code int32
	if d.sponsor, code = s.addSubentry(a, s.sponsoredDatum(name), int32(xdr.ManageDataResultCodeManageDataLowReserve)); code != 0 {
		return code
	}
	a.setDatum(d)
	s.effectOn(s.actor, "data_created", shown...)
	return 0
}
