package payout

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stellar/go-stellar-sdk/xdr"

	"windlass/server/anchor"
	"windlass/server/horizon"
	"windlass/server/store"
)

const (
	alarmFees    = "fees"    // the network wants more than the cap
	alarmRefused = "refused" // our signatures or lumens will not do
	alarmSource  = "source"  // the distribution account cannot pay
	alarmLumens  = "lumens"  // the fee account has too few

	settleMost = 10 * time.Second // the longest wait between two looks
	// lostAfter is how many looks in vain for a hash that must be in the ledger
	// call for a person; every few of them it is asked what else is there.
	lostAfter, displacedEvery = 10, 3
	// displacedBefore is how many ledgers before an envelope was signed the search
	// begins for what has used its sequence number.
	displacedBefore = 100
)

// settle submits an envelope's bytes until its fate is proven and written down.
// It returns how long the channel should rest, or when ctx ends: the next start
// goes on then. held are its intents, with their funds reserved; nil if it was
// found in the books and may have been submitted before.
func (e *Engine) settle(ctx context.Context, env *anchor.Envelope, held []*anchor.Payout) time.Duration {
	e.count(1)
	defer e.count(-1)
	found := held == nil
	for held == nil {
		var err error
		if held, err = e.intents(ctx, env); err == nil {
			e.funds.reserve(held)
			break
		}
		e.logger.ErrorContext(ctx, "the intents of an envelope cannot be read", "envelope", env.ID, "error", err)
		if !wait(ctx, e.Retry) {
			return 0
		}
	}
	defer e.funds.release(held)

	s := &settling{Engine: e, env: env, held: held}
	if found && s.look(ctx) {
		return s.rest
	}
	for pause := e.Retry; ; pause = min(2*pause, settleMost) {
		least := s.submit(ctx)
		if s.look(ctx) {
			return s.rest
		}
		if !wait(ctx, max(pause, least)) {
			return 0
		}
		// Horizon may have been slow to tell, not the network.
		if s.look(ctx) {
			return s.rest
		}
	}
}

// intents reads an envelope's intents.
func (e *Engine) intents(ctx context.Context, env *anchor.Envelope) ([]*anchor.Payout, error) {
	var all []*anchor.Payout
	err := e.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		all = all[:0]
		for _, id := range env.Intents {
			p, err := tx.Payout(id)
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		return nil
	})
	return all, err
}

// settling is one envelope on its way to its fate.
type settling struct {
	*Engine
	env  *anchor.Envelope
	held []*anchor.Payout // its intents, in the order of its operations
	// refusal is what the last submission was refused with, if it was.
	refusal horizon.Codes
	lost    int
	// displacedBy is the ledger transaction that has used its sequence number, if
	// that is known to be another.
	displacedBy string
	rest        time.Duration
}

// submit hands the bytes in once more. Its answer is no fate, but it can say
// what is wrong with us. It returns how long Horizon asks to be left alone.
func (s *settling) submit(ctx context.Context) time.Duration {
	sub, err := s.ledger.Submit(ctx, s.env.XDR)
	if err == nil || ctx.Err() != nil {
		return 0
	}
	s.logger.WarnContext(ctx, "a submission was not confirmed", "envelope", s.env.ID, "hash", s.env.Hash, "outcome", sub.Outcome.String(), "error", err)
	if sub.Outcome == horizon.Unknown {
		return min(sub.RetryAfter, time.Minute)
	}
	s.refusal = sub.Codes
	switch code := verdictCode(sub.Codes); code {
	case "tx_insufficient_fee":
		var r xdr.TransactionResult
		if err := xdr.SafeUnmarshalBase64(sub.ResultXDR, &r); err != nil {
			s.logger.WarnContext(ctx, "the fee wanted cannot be read", "error", err)
		} else if err := s.raiseFee(ctx, s.env, int64(r.FeeCharged)); err != nil {
			s.logger.WarnContext(ctx, "the fee could not be raised", "envelope", s.env.ID, "error", err)
		}
	case "tx_insufficient_balance", "tx_no_source_account", "tx_bad_auth", "tx_bad_auth_extra":
		s.raise(ctx, alarmRefused, "envelopes are refused with "+code+": look at the keys and at the lumens of the fee account")
	}
	return 0
}

// verdictCode is the code that says why: the inner transaction's if there is one.
func verdictCode(c horizon.Codes) string {
	if c.Inner != "" {
		return c.Inner
	}
	return c.Transaction
}

// look asks the ledger for the envelope's fate. It reports true when the fate is
// proven and written down.
func (s *settling) look(ctx context.Context) bool {
	fate, t, err := s.fate(ctx)
	if err == nil {
		switch fate {
		case anchor.InLedger:
			err = s.inLedger(ctx, t)
		case anchor.Impossible:
			err = s.impossible(ctx)
		case anchor.Unknown:
			return false
		}
	}
	if err != nil {
		if ctx.Err() == nil {
			s.logger.WarnContext(ctx, "an envelope's fate is not known yet", "envelope", s.env.ID, "hash", s.env.Hash, "error", err)
		}
		return false
	}
	return true
}

// fate draws its conclusion from one answer about the channel, and looks the
// hash up.
func (s *settling) fate(ctx context.Context) (anchor.Verdict, *horizon.Transaction, error) {
	a, err := s.ledger.Account(ctx, s.env.Channel)
	if err != nil {
		if anchor.KindOf(err) == anchor.NotFound {
			s.raise(ctx, "channel "+s.env.Channel, "the channel account "+s.env.Channel+" does not exist, but an envelope of it may still apply")
		}
		return anchor.Unknown, nil, err
	}
	verdict := s.env.Judge(a.Sequence, a.LatestLedger)
	if verdict == anchor.Unknown {
		return anchor.Unknown, nil, nil
	}
	t, err := s.ledger.Transaction(ctx, s.env.Hash)
	switch {
	case err == nil:
		return anchor.InLedger, t, nil // the ledger's own word goes before any conclusion
	case anchor.KindOf(err) != anchor.NotFound:
		return anchor.Unknown, nil, err
	case verdict == anchor.Impossible:
		return anchor.Impossible, nil, nil
	}
	// Its sequence number is used, so that it is in the ledger, or another
	// transaction of the channel is in its place: an envelope that these books have
	// forgotten, or a stranger's. Only the ledger can tell, and nobody may guess.
	if s.lost++; s.lost%displacedEvery == 0 {
		if s.displacedBy, err = s.displaced(ctx); err != nil || s.displacedBy != "" {
			return anchor.Impossible, nil, err
		}
	}
	if s.lost == lostAfter {
		s.raise(ctx, "lost "+s.env.Hash, fmt.Sprintf("the channel %s has used the sequence number %d, but no Horizon finds the hash %s: does another program use this channel?", s.env.Channel, s.env.Sequence, s.env.Hash))
	}
	return anchor.Unknown, nil, errors.New("its sequence number is used, and its hash is not found")
}

// displaced finds the transaction that has used the envelope's sequence number,
// "" if none is found or it is the envelope itself. A ledger takes each number of
// an account once, so that the envelope can never apply then. Only a transaction
// whose operations were tried has surely used its number.
func (s *settling) displaced(ctx context.Context) (string, error) {
	first := max(s.env.MaxLedger, s.Lifetime+displacedBefore) - s.Lifetime - displacedBefore
	for cursor := strconv.FormatUint(uint64(first)<<32, 10); ; {
		page, err := s.ledger.Transactions(ctx, s.env.Channel, cursor, horizon.PageSize)
		if err != nil {
			return "", err
		}
		for i := range page {
			var e xdr.TransactionEnvelope
			if err := xdr.SafeUnmarshalBase64(page[i].EnvelopeXDR, &e); err != nil {
				return "", fmt.Errorf("read the transaction %s: %w", page[i].Hash, err)
			}
			source := e.SourceAccount()
			if source.ToAccountId().Address() != s.env.Channel || e.SeqNum() != s.env.Sequence {
				continue
			}
			if page[i].Inner() == s.env.Hash {
				return "", nil
			}
			tried := page[i].Successful
			if !tried {
				codes, err := operationCodes(page[i].ResultXDR)
				if err != nil {
					return "", err
				}
				tried = verdictCode(codes) == "tx_failed"
			}
			if tried {
				return page[i].Hash, nil
			}
		}
		if len(page) < horizon.PageSize || page[len(page)-1].Cursor == cursor {
			return "", nil
		}
		cursor = page[len(page)-1].Cursor
	}
}

// conclude writes down an envelope's fate and all that follows from it, once: a
// commit may have happened though its answer was lost.
func (s *settling) conclude(ctx context.Context, env *anchor.Envelope, effect func(*store.Tx) error) error {
	return s.store.Update(ctx, store.Payouts, func(tx *store.Tx) error {
		cur, err := tx.Envelope(env.ID)
		if err != nil || cur.State != anchor.EnvelopeLive {
			return err
		}
		if err := tx.SaveEnvelope(env); err != nil {
			return err
		}
		return effect(tx)
	})
}

// inLedger writes down that the envelope is in the ledger, applied or failed.
func (s *settling) inLedger(ctx context.Context, t *horizon.Transaction) error {
	env := *s.env
	env.State = anchor.EnvelopeApplied
	var fates []intentFate
	if !t.Successful {
		codes, err := operationCodes(t.ResultXDR)
		if err != nil {
			return err
		}
		env.State = anchor.EnvelopeFailed
		env.Result, fates = s.blame(ctx, codes)
	}
	now := time.Now()
	err := s.conclude(ctx, &env, func(tx *store.Tx) error {
		// Anybody may wrap what we signed into a fee bump of their own.
		if t.FeeAccount == s.Fee.Address() {
			if err := tx.NetworkFee(t.At, env.Hash, anchor.Amount(t.FeeCharged)); err != nil {
				return err
			}
		}
		for i, id := range env.Intents {
			var err error
			if t.Successful {
				err = s.paid(tx, id, t, now)
			} else {
				err = s.giveBack(tx, id, env.Hash, fates[i], now)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.lower(ctx, "lost "+env.Hash)
	s.lower(ctx, alarmRefused)
	s.lower(ctx, alarmFees)
	if t.Successful {
		s.lower(ctx, alarmSource)
		s.logger.InfoContext(ctx, "payouts are in the ledger", "envelope", env.ID, "hash", env.Hash, "intents", len(env.Intents), "ledger", t.Ledger, "fee", t.FeeCharged)
	} else {
		s.logger.WarnContext(ctx, "payouts failed in the ledger and are tried again", "envelope", env.ID, "hash", env.Hash, "result", env.Result)
	}
	return nil
}

// impossible writes down that the envelope can never apply, and queues its
// intents again.
func (s *settling) impossible(ctx context.Context) error {
	env := *s.env
	env.State = anchor.EnvelopeImpossible
	// Codes of operations that were refused at the door say as much as those of
	// a ledger.
	var fates []intentFate
	env.Result, fates = s.blame(ctx, s.refusal)
	if ourFault(verdictCode(s.refusal)) {
		s.rest = settleMost
		for i := range fates {
			fates[i].uncounted = true
		}
	}
	if s.displacedBy != "" {
		// These books do not know what was signed with the channel. What that paid
		// may be just these intents: they must not be signed again before it was read.
		s.doubt.rise()
		env.Result = "sequence number used by " + s.displacedBy
	}
	now := time.Now()
	err := s.conclude(ctx, &env, func(tx *store.Tx) error {
		for i, id := range env.Intents {
			if err := s.giveBack(tx, id, env.Hash, fates[i], now); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		s.lower(ctx, "lost "+env.Hash)
		s.logger.WarnContext(ctx, "an envelope can never apply; its payouts are tried again", "envelope", env.ID, "hash", env.Hash, "refused", env.Result)
	}
	return err
}

func ourFault(code string) bool {
	switch code {
	case "tx_insufficient_fee", "tx_insufficient_balance", "tx_no_source_account", "tx_bad_auth", "tx_bad_auth_extra":
		return true
	}
	return false
}

// blame decides by the operations' codes, in the order of the intents.
func (s *settling) blame(ctx context.Context, codes horizon.Codes) (string, []intentFate) {
	fates := make([]intentFate, len(s.env.Intents))
	if len(codes.Operations) != len(fates) {
		return codes.String(), fates // nobody in particular
	}
	for i, code := range codes.Operations {
		var ours bool
		if fates[i], ours = fateOf(s.held[i], code); ours {
			s.rest = settleMost
			s.raise(ctx, alarmSource, "the account "+s.held[i].Source+" cannot pay: "+code)
		}
	}
	return codes.String(), fates
}

// operationCodes reads the codes out of a failed transaction's result, spelled
// as Horizon spells them.
func operationCodes(resultXDR string) (horizon.Codes, error) {
	var r xdr.TransactionResult
	if err := xdr.SafeUnmarshalBase64(resultXDR, &r); err != nil {
		return horizon.Codes{}, fmt.Errorf("read the result: %w", err)
	}
	if r.Successful() {
		return horizon.Codes{}, errors.New("horizon says that it failed, its result says that it did not")
	}
	c := horizon.Codes{Transaction: spell("TransactionResultCode", r.Result.Code.String())}
	if p, ok := r.Result.GetInnerResultPair(); ok {
		c.Inner = spell("TransactionResultCode", p.Result.Result.Code.String())
	}
	ops, _ := r.OperationResults()
	for _, op := range ops {
		code := spell("OperationResultCode", op.Code.String())
		switch {
		case op.Code == xdr.OperationResultCodeOpNoAccount:
			code = "op_no_source_account"
		case op.Code == xdr.OperationResultCodeOpInner && op.Tr != nil:
			code = innerCode(op.Tr)
		}
		c.Operations = append(c.Operations, code)
	}
	return c, nil
}

// spell turns the name of a constant into Horizon's: "tx_fee_bump_inner_failed".
func spell(prefix, name string) string {
	var b strings.Builder
	for i, r := range strings.TrimPrefix(name, prefix) {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
