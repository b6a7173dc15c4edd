package anchor

import (
	"slices"
	"time"
)

// Notice is a moment at which the customer is written to, where the operator
// wants that: when they must do something, or when money moved.
type Notice struct {
	Name  string // in the catalogue
	Kinds []Kind // both when nil
	To    []Status
	// Events and From narrow down what led there; nil is anything.
	Events []Event
	From   []Status
	// After is how long it waits, since most of what is over by then needs no word.
	After time.Duration
	// While are the statuses in which it is still true; To when nil. Nobody is
	// written to about what is over.
	While []Status
	Why   string
}

// soon is longer than what goes well takes, and shorter than people worry.
const soon = 10 * time.Minute

// Notices is all that customers are written about. No two are for the same kind and
// status, so that those name a notice. docs/mail.md shows them.
//
// Why so few: each one that did not need to be read makes the next less read. What
// the customer does on the page, they see there; a wallet shows the rest.
var Notices = []Notice{
	{"pay", onlyDeposit, []Status{PendingUserTransferStart}, nil, nil, 0, nil, "how to pay, to have it beside the bank's app"},
	{"pay", onlyWithdrawal, []Status{PendingUserTransferStart}, nil, nil, soon, nil, "most wallets pay at once; this one did not"},
	{"correct", nil, []Status{PendingUser}, nil, nil, 0, nil, "a reviewer asks for a correction"},
	{"go_on", nil, []Status{Incomplete}, []Event{ReviewPassed}, nil, 0, nil, "a reviewer is done, and the rest, or today's price, is the customer's to look at"},
	{"trust", onlyDeposit, []Status{PendingTrust}, nil, nil, soon, nil, "the money is here, and the account cannot hold the asset"},
	{"collect", onlyWithdrawal, []Status{PendingUserTransferComplete}, nil, nil, 0, nil, "the cash can be collected"},
	{"received", onlyDeposit, []Status{PendingAnchor}, []Event{FundsReceived, Revived}, nil, soon, []Status{PendingAnchor, PendingStellar}, "the money is here, and it takes longer than usual"},
	{"received", onlyWithdrawal, []Status{PendingAnchor}, []Event{FundsReceived, Revived}, nil, soon, []Status{PendingAnchor, PendingExternal}, "the money is here, and the bank takes its time"},
	{"held", nil, []Status{OnHold}, nil, nil, soon, nil, "the money is here, or came back, and a person looks at it"},
	{"back", nil, []Status{TooSmall, TooLarge, NoMarket}, nil, nil, soon, nil, "the money is here, and goes back"},
	{"completed", nil, []Status{Completed}, nil, nil, 0, nil, "the money is paid out"},
	{"refunded", nil, []Status{Refunded}, nil, nil, 0, nil, "the money went back"},
	{"missing", onlyDeposit, []Status{Expired}, []Event{DeadlinePassed}, []Status{PendingExternal}, 0, nil, "the customer said it was sent, and it never came"},
}

// NoticeAfter is what a step of a transaction of that kind is to be told by, if by
// anything.
func NoticeAfter(k Kind, step Step) (Notice, bool) {
	n, ok := NoticeOf(k, step.To)
	ok = ok && (n.Events == nil || slices.Contains(n.Events, step.Event)) && (n.From == nil || slices.Contains(n.From, step.From))
	if step.Event == ReviewPassed {
		n.After = 0 // they waited for a person, and most likely went away
	}
	return n, ok
}

// NoticeOf is the notice that was written for a status.
func NoticeOf(k Kind, to Status) (Notice, bool) {
	i := slices.IndexFunc(Notices, func(n Notice) bool {
		return (n.Kinds == nil || slices.Contains(n.Kinds, k)) && slices.Contains(n.To, to)
	})
	if i < 0 {
		return Notice{}, false
	}
	return Notices[i], true
}

// Holds reports whether a notice that was written for a status is still true.
func (n Notice) Holds(to, now Status) bool {
	return now == to || slices.Contains(n.While, now)
}
