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
		a.dropDatum(name)
		a.modified = s.ledger
		s.effect(s.source, "data_removed", detail{"name", name})
		return 0
	}

	value := []byte(*body.ManageDataOp.DataValue)
	d := dataEntry{name: name, value: value, modified: s.ledger}
	shown := []detail{{"name", name}, {"value", base64.StdEncoding.EncodeToString(value)}}
	if have != nil {
		d.sponsor = have.sponsor
		a.setDatum(d)
		if string(have.value) != string(value) {
			s.effect(s.source, "data_updated", shown...)
		}
		return 0
	}
	if a.subEntries() >= maxSubEntries {
		return s.refuse(xdr.OperationResultCodeOpTooManySubentries)
	}
	if a.balance < a.minBalance(1) {
		return int32(xdr.ManageDataResultCodeManageDataLowReserve)
	}
	a.setDatum(d)
	a.modified = s.ledger
	s.effect(s.source, "data_created", shown...)
	return 0
}
