/*
 * How Windlass pays on the ledger, as a model that `make model` looks at in
 * every state it can reach. docs/payout-model.md explains it to a stranger. The
 * code that it mirrors is server/payout, server/anchor/payout.go and
 * server/store/payouts.go; comments name the functions.
 *
 * Each BREAK_… macro takes one rule out, and .ci/model wants every one caught: a
 * model that cannot fail proves nothing.
 */

#define CHANNELS  2
#define INTENTS   2
#define HORIZONS  2

#ifndef LIFETIME
#define LIFETIME  3             /* for how many ledgers an envelope can apply */
#endif
#ifndef LAG
#define LAG       2             /* how many ledgers a Horizon may be behind */
#endif
#ifndef FAILURES
#define FAILURES  1             /* envelopes that fail in the ledger */
#endif
#define ENVELOPES 4             /* those that can still matter to anybody */

/* anchor.PayoutState, anchor.EnvelopeState and anchor.Verdict; a test compares. */
mtype = { queued, in_envelope, paid, waiting, parked, approval, cancelled }
mtype = { live, applied, failed, impossible }
mtype = { Unknown, InLedger, Impossible }
/* What a worker does next. */
mtype = { choosing, signing, submitting, raising, sleeping, looking, finding, concluding, resting }

/*
 * Ledgers are numbered within a window: 0 is the oldest that a Horizon may still
 * answer with, HEAD is the newest that core has closed. A close numbers all of
 * them down by one, so that ledgers never end and the model is finite.
 */
#define HEAD LAG
#define NONE 255

/* A transaction that was signed. */
typedef Envelope {
	bool made;
	byte channel;
	byte sequence;
	byte max_ledger;        /* exclusive */
	byte intents;           /* a set: bit i is intent i */
	bool raised;            /* its fee bump was replaced by a better one */
	bool pending;           /* core keeps it; always false before the calm */
	byte blamed;            /* the set of intents whose operations failed */
	mtype landed            /* live while it is in no ledger */
#ifdef BREAK_outer
	; bool stranger         /* it landed under a fee bump that the books have replaced */
#endif
};
Envelope env[ENVELOPES];

/* The books. A step changes them in one commit. */
typedef Books {
	mtype state[INTENTS];
	byte holds[CHANNELS];   /* the channel's live envelope */
	byte proven[CHANNELS]   /* Store.ProvenSequence */
};
Books books;

#ifdef RESTORE
/* A copy of the books that is put back in their place later, once. */
Books copy;
bool copied, restored;
/* How far the books have read the ledger, and whether payouts are paused. */
byte read;
bool unexplained;
/* payout.doubt, in memory: until which ledger it lasts, and what was seen then. */
bool doubt;
byte until;
byte seen[CHANNELS], seen_at[CHANNELS];
byte paid_at[INTENTS];          /* the ledger of the last payment */
#endif

/* The ledger: each channel's sequence number as of each ledger of the window. */
typedef Channel { byte sequence[LAG + 1] };
Channel account[CHANNELS];
byte latest[HORIZONS];          /* each Horizon's Latest-Ledger */
byte payments[INTENTS];         /* successful operations for each intent, ever */
byte failures;

/* The memory of one worker. A crash empties it. */
typedef Worker {
	mtype at;
	byte batch;             /* the intents that it holds */
	byte sequence;          /* of the envelope that it will sign */
	byte max_ledger;
	byte env;               /* the envelope that it settles */
	mtype verdict;
	mtype fate
};
Worker worker[CHANNELS];

/*
 * A worker that was thought dead and is only paused, just before a commit, while
 * another process goes on. The lock on the books forbids that; the schema alone
 * must be enough.
 */
Worker paused;
byte paused_channel;

/*
 * Set at some time, never unset: faults are over, since a network that is down
 * for ever pays nobody. Lag, low fees and paused workers are never over.
 */
bool calm;

/* Scratch, 0 between steps. */
byte e_, h_, i_;

/* For people who read a trail, ledgers have numbers that only grow. */
#ifdef READ
int closed = 10;
#define NUMBER(l)      (closed + (l) - HEAD)
#define count_ledger   closed++
#else
#define NUMBER(l)      (l)
#define count_ledger   e = 0
#endif

#define has(set, i)    (((set) >> (i)) & 1)
#define SEQ(c, l)      account[c].sequence[l]
/* It can be in the next ledger. */
#define next(e)        (env[e].made && env[e].sequence == SEQ(env[e].channel, HEAD) + 1)
#define valid(e)       (next(e) && HEAD + 1 < env[e].max_ledger)
/* The same while HEAD is being closed. */
#define fits(e)        (next(e) && HEAD < env[e].max_ledger)
#ifdef BREAK_outer
#define known(h, e)    (env[e].landed != live && env[e].sequence <= SEQ(env[e].channel, latest[h]) && !env[e].stranger)
#else
#define known(h, e)    (env[e].landed != live && env[e].sequence <= SEQ(env[e].channel, latest[h]))
#endif
/* Only envelopes use a channel: what is in no ledger and yet used is another's. */
#define taken_away(h, e) (env[e].landed == live && env[e].sequence <= SEQ(env[e].channel, latest[h]))
#ifdef RESTORE
#define may_sign       (!doubt && !unexplained)
#define copy_holds(e)  (copy.holds[0] == e || copy.holds[1] == e)
#else
#define may_sign       true
#define copy_holds(e)  false
#endif
#define in_use(e)      (books.holds[0] == e || books.holds[1] == e || worker[0].env == e || worker[1].env == e || paused.env == e || copy_holds(e))
#define in_state(set, s) ((!has(set, 0) || books.state[0] == s) && (!has(set, 1) || books.state[1] == s))
/* Store.ChannelSequence. */
#define used(c)        (books.holds[c] != NONE && env[books.holds[c]].sequence > books.proven[c] -> env[books.holds[c]].sequence : books.proven[c])
#define taken          (worker[0].batch | worker[1].batch)
#define free(set)      (in_state(set, queued) && !(taken & set))
#define at_rest(c)     (worker[c].at == sleeping || worker[c].at == resting || worker[c].at == choosing)
#define ended(i)       (books.state[i] == paid || books.state[i] == parked || books.state[i] == cancelled)

inline wake() {
	forget(paused); paused.at = resting; paused_channel = 0
}

inline forget(w) {
	w.batch = 0; w.sequence = 0; w.max_ledger = 0; w.env = NONE; w.verdict = Unknown; w.fate = live
}

/* Until the next look: for any time, or in the calm until a ledger closes. */
inline sleep(w) {
	if
	:: calm -> w.at = sleeping
	:: else -> w.at = looking
	fi
}

inline rest(w) {
	forget(w);
	if
	:: calm -> w.at = resting
	:: else -> w.at = choosing
	fi
}

/*
 * What can have no effect any longer is forgotten, so that states that differ in
 * nothing else are one: a paused worker whose commit would change nothing, and
 * bytes that can never apply and that nobody looks at.
 */
inline tidy() {
	if
	:: paused.at == concluding && books.holds[paused_channel] != paused.env -> wake()
	:: paused.at == signing && (has(paused.batch, 0) && ended(0) && books.state[0] != parked || has(paused.batch, 1) && ended(1) && books.state[1] != parked) -> wake()
	:: else
	fi;
	e_ = 0;
	do
	:: e_ < ENVELOPES ->
		if
		:: env[e_].made && !valid(e_) ->
			env[e_].pending = false; env[e_].raised = false;
			if
			:: !in_use(e_) ->
				env[e_].made = false; env[e_].channel = 0; env[e_].sequence = 0; env[e_].max_ledger = 0;
				env[e_].intents = 0; env[e_].blamed = 0; env[e_].landed = live
			:: else
			fi
		:: else
		fi;
		e_++
	:: else -> break
	od;
	e_ = 0
}

/* An envelope of what is in w's memory. */
inline make(w, c) {
	e_ = c;
	do
	:: env[e_].made -> e_ = (e_ < CHANNELS -> CHANNELS : e_ + 1); assert(e_ < ENVELOPES)
	:: else -> break
	od;
	env[e_].made = true; env[e_].channel = c; env[e_].sequence = w.sequence;
	env[e_].max_ledger = w.max_ledger; env[e_].intents = w.batch;
	w.env = e_; e_ = 0
}

/* prepare's last act: the envelope is written down, in one commit. */
inline record(w, c) {
	if
	:: may_sign &&
#ifndef BREAK_unchecked
	   in_state(w.batch, queued) &&
#endif
#ifndef BREAK_reused
	   w.sequence > used(c) &&
#endif
#ifndef BREAK_released
	   books.holds[c] == NONE &&
#endif
	   true ->
		assert(w.sequence > used(c));     /* else its fate could never be proven */
		if
		:: w.env == NONE -> make(w, c)
		:: else
		fi;
		books.holds[c] = w.env;
		if
		:: has(w.batch, 0) -> books.state[0] = in_envelope
		:: else
		fi;
		if
		:: has(w.batch, 1) -> books.state[1] = in_envelope
		:: else
		fi
	:: else -> w.env = NONE
	fi;
	w.sequence = 0; w.max_ledger = 0
}

/* Envelope.Judge, of one answer about the channel. */
inline judge(w, sequence_, latest_) {
	if
	:: sequence_ >= env[w.env].sequence -> w.verdict = InLedger
#ifdef BREAK_early
	:: sequence_ < env[w.env].sequence && latest_ + 2 >= env[w.env].max_ledger -> w.verdict = Impossible
#else
	:: sequence_ < env[w.env].sequence && latest_ >= env[w.env].max_ledger -> w.verdict = Impossible
#endif
#ifdef BREAK_not_found
	:: else -> w.verdict = Impossible       /* if the hash is not found */
#else
	:: else -> w.verdict = Unknown
#endif
	fi
}

/* settling.conclude: a fate and all that follows, in one commit, once. */
inline conclude(w) {
	if
	:: books.holds[env[w.env].channel] == w.env ->
		d_step {
		books.holds[env[w.env].channel] = NONE;
		if
		:: w.fate != impossible -> books.proven[env[w.env].channel] = env[w.env].sequence
		:: else
		fi };
		i_ = 0;
		do
		:: i_ < INTENTS && has(env[w.env].intents, i_) ->
			if
			:: w.fate == applied -> books.state[i_] = paid; assert(payments[i_] == 1)
			:: w.fate == failed && !has(env[w.env].blamed, i_) -> books.state[i_] = queued
			:: w.fate == failed && has(env[w.env].blamed, i_) -> books.state[i_] = waiting
			:: w.fate == failed && has(env[w.env].blamed, i_) -> books.state[i_] = parked
			:: w.fate == impossible -> books.state[i_] = queued
			/* Codes of a refusal at the door; attempts that are used up. */
#ifndef RESTORE
			:: w.fate == impossible && !calm -> books.state[i_] = waiting
			:: w.fate == impossible && !calm -> books.state[i_] = parked
#endif
			fi;
			i_++
		:: i_ < INTENTS && !has(env[w.env].intents, i_) -> i_++
		:: i_ == INTENTS -> break
		od;
		i_ = 0
	:: else                 /* it is written already */
	fi
}

/* Run's resume: the live envelopes of the books come before anything new. */
inline resume(w, c) {
	forget(w);
#ifdef BREAK_requeued
	if
	:: books.holds[c] != NONE && has(env[books.holds[c]].intents, 0) -> books.state[0] = queued
	:: else
	fi;
	if
	:: books.holds[c] != NONE && has(env[books.holds[c]].intents, 1) -> books.state[1] = queued
	:: else
	fi;
	books.holds[c] = NONE;
#endif
#ifndef BREAK_abandoned
	w.env = books.holds[c];
#endif
	if
	:: w.env != NONE -> w.batch = env[w.env].intents; w.at = looking
	:: else -> w.at = choosing
	fi
}

/* The worker of channel c, with its part of the dispatcher. */
proctype Engine(byte c) {
end:	do
	/*
	 * dispatch, in one goroutine's memory, which is no step of its own; and
	 * channel: an exchange with one Horizon.
	 */
	:: atomic { worker[c].at == choosing && may_sign && (free(1) || free(2)) ->
		if
		:: free(1) -> worker[c].batch = 1; printf("channel %d takes intent 0\n", c)
		:: free(2) -> worker[c].batch = 2; printf("channel %d takes intent 1\n", c)
		:: free(3) -> worker[c].batch = 3; printf("channel %d takes both intents\n", c)
		fi;
		if
		:: h_ = 0
		:: h_ = 1
		fi;
		d_step {
		if
		:: SEQ(c, latest[h_]) == used(c) ->
			worker[c].sequence = SEQ(c, latest[h_]) + 1;
			worker[c].max_ledger = latest[h_] + LIFETIME;
			worker[c].at = signing;
			printf("channel %d: Horizon %d: sequence %d as of ledger %d\n", c, h_, SEQ(c, latest[h_]), NUMBER(latest[h_]))
		:: else ->
#ifdef RESTORE
			if
			:: SEQ(c, latest[h_]) > used(c) -> doubt = true
			:: else
			fi;
#endif
			rest(worker[c]);
			printf("channel %d: Horizon %d answers another sequence than the books'\n", c, h_)
		fi;
		h_ = 0 } }

#ifdef BREAK_unstored
	:: d_step { worker[c].at == signing ->
		make(worker[c], c);
		printf("channel %d submits envelope %d: sequence %d, maximum ledger %d\n", c, worker[c].env, worker[c].sequence, NUMBER(worker[c].max_ledger));
		worker[c].at = raising }
	:: d_step { worker[c].at == raising -> /* too late */
#else
	/* record: a commit. */
	:: d_step { worker[c].at == signing ->
#endif
		record(worker[c], c);
		if
		:: worker[c].env != NONE ->
			worker[c].at = submitting;
			printf("channel %d writes envelope %d down: sequence %d, maximum ledger %d\n", c, worker[c].env, env[worker[c].env].sequence, NUMBER(env[worker[c].env].max_ledger))
		:: worker[c].env == NONE && books.holds[c] != NONE -> /* pay takes it up */
			resume(worker[c], c);
			printf("channel %d: the books hold an envelope of it already\n", c)
		:: else ->
			rest(worker[c]);
			printf("channel %d: the books refuse the envelope\n", c)
		fi;
		tidy() }

	/*
	 * submit: an exchange. What it answers is no fate, and whether it reaches
	 * core is for Network to say.
	 */
	:: d_step { worker[c].at == submitting ->
		if
		:: calm && valid(worker[c].env) -> env[worker[c].env].pending = true
		:: else
		fi;
		printf("channel %d submits envelope %d\n", c, worker[c].env);
		sleep(worker[c]) }
#ifdef BREAK_refused
	:: d_step { worker[c].at == submitting ->
		printf("channel %d submits envelope %d: it is refused\n", c, worker[c].env);
		worker[c].fate = impossible; worker[c].at = concluding }
#endif
#if !defined(RESTORE) && !defined(BREAK_unstored)
	:: d_step { worker[c].at == submitting && valid(worker[c].env) && !env[worker[c].env].raised ->
		printf("channel %d submits envelope %d: its fee is too low\n", c, worker[c].env);
		worker[c].at = raising }

	/* raiseFee: a commit. */
	:: d_step { worker[c].at == raising ->
		if
		:: books.holds[c] == worker[c].env && valid(worker[c].env) -> env[worker[c].env].raised = true
		:: else
		fi;
		printf("channel %d gives envelope %d a better fee bump\n", c, worker[c].env);
		worker[c].at = looking } /* the first pause is shorter than a ledger */
#endif

	/* fate, its first half: an exchange with one Horizon. */
	:: atomic { worker[c].at == looking ->
		if
		:: h_ = 0
		:: h_ = 1
		fi;
		d_step {
#ifdef BREAK_two_answers
		judge(worker[c], SEQ(c, latest[h_]), latest[0]);
		printf("channel %d: Horizon %d: sequence %d; Horizon 0: ledger %d: %e\n", c, h_, SEQ(c, latest[h_]), NUMBER(latest[0]), worker[c].verdict);
#else
		judge(worker[c], SEQ(c, latest[h_]), latest[h_]);
		printf("channel %d: Horizon %d: sequence %d as of ledger %d: %e\n", c, h_, SEQ(c, latest[h_]), NUMBER(latest[h_]), worker[c].verdict);
#endif
		h_ = 0;
		if
#ifdef BREAK_unlooked
		:: worker[c].verdict == InLedger -> worker[c].verdict = Unknown; worker[c].fate = applied; worker[c].at = concluding
#endif
#ifdef BREAK_released
		:: worker[c].verdict == Unknown -> rest(worker[c])
#else
		:: worker[c].verdict == Unknown -> worker[c].at = submitting
#endif
		:: else -> worker[c].at = finding
		fi } }
	:: d_step { worker[c].at == looking && !calm ->
		worker[c].at = submitting;
		printf("channel %d: no Horizon answers\n", c) }

	/* fate, its second half: an exchange about the hash with all that answer. */
	:: d_step { worker[c].at == finding && (known(0, worker[c].env) || known(1, worker[c].env)) ->
		worker[c].fate = env[worker[c].env].landed; worker[c].verdict = Unknown; worker[c].at = concluding;
		printf("channel %d: the hash of envelope %d is found: %e\n", c, worker[c].env, worker[c].fate) }
#ifdef RESTORE
	/* displaced: the ledger shows another transaction with its sequence number. */
	:: d_step { worker[c].at == finding && worker[c].verdict == InLedger && (taken_away(0, worker[c].env) || taken_away(1, worker[c].env)) ->
		worker[c].fate = impossible; worker[c].verdict = Unknown; worker[c].at = concluding; doubt = true;
		printf("channel %d: another envelope has used the sequence number of envelope %d\n", c, worker[c].env) }
#endif
	:: d_step { worker[c].at == finding && (!calm || !known(0, worker[c].env) && !known(1, worker[c].env)) ->
		printf("channel %d: the hash of envelope %d is not found\n", c, worker[c].env);
		if
		:: worker[c].verdict == Impossible -> worker[c].fate = impossible; worker[c].at = concluding
		:: else -> sleep(worker[c])
		fi;
		worker[c].verdict = Unknown }
	:: d_step { worker[c].at == finding && !calm ->
		worker[c].verdict = Unknown; worker[c].at = submitting;
		printf("channel %d: no Horizon answers\n", c) }

	/* conclude: a commit. */
	:: atomic { worker[c].at == concluding ->
		conclude(worker[c]);
		d_step {
		printf("channel %d writes down that envelope %d is %e\n", c, worker[c].env, worker[c].fate);
		forget(worker[c]); worker[c].at = choosing;
		tidy() } }
	od
}

/* The rest of the engine, and a person. Each step is a commit. */
proctype Desk() {
end:	do
	:: d_step { books.state[0] == waiting -> books.state[0] = queued; printf("intent 0 need not wait any longer\n") }
	:: d_step { books.state[1] == waiting -> books.state[1] = queued; printf("intent 1 need not wait any longer\n") }
#ifndef RESTORE
	:: d_step { books.state[0] == queued && !calm -> books.state[0] = waiting; printf("intent 0 waits for its destination\n") }
	:: d_step { books.state[1] == queued && !calm -> books.state[1] = waiting; printf("intent 1 waits for its destination\n") }
	:: d_step { books.state[0] == parked && !calm -> books.state[0] = queued; printf("a person queues intent 0 again\n") }
	:: d_step { books.state[1] == parked && !calm -> books.state[1] = queued; printf("a person queues intent 1 again\n") }
	:: d_step { books.state[1] == approval -> books.state[1] = queued; printf("a person approves intent 1\n") }
#ifndef NOREFUND
	:: d_step { (
#ifdef BREAK_cancelled
		books.state[1] == in_envelope ||
#endif
		books.state[1] == approval || books.state[1] == queued || books.state[1] == waiting || books.state[1] == parked) ->
		books.state[1] = cancelled;
#ifndef RESTORE
		assert(payments[1] == 0);
#endif
		printf("a person cancels intent 1: a refund takes its place\n") }
#endif
#else
	:: d_step { books.state[1] == approval -> books.state[1] = queued; printf("a person approves intent 1\n") }
#endif
	od
}

/* Core and the Horizons. */
proctype Network() {
	byte e, blamed;
end:	do
	/* A Horizon ingests. They are alike, so let number 1 be the slower. */
	:: d_step { latest[0] < HEAD -> latest[0]++; printf("Horizon 0 is at ledger %d\n", NUMBER(latest[0])) }
	:: d_step { latest[1] < latest[0] -> latest[1]++; printf("Horizon 1 is at ledger %d\n", NUMBER(latest[1])) }

	/*
	 * A ledger closes, if no Horizon would be more than LAG behind. In the calm,
	 * workers are quicker than a ledger, and Horizons than two.
	 */
	:: atomic { latest[1] > 0 && (!calm || latest[1] == HEAD && at_rest(0) && at_rest(1)) ->
		d_step {
		e = 0;
		do
		:: e < HEAD -> SEQ(0, e) = SEQ(0, e + 1); SEQ(1, e) = SEQ(1, e + 1); e++
		:: else -> break
		od;
		e = 0;
		do
		:: e < ENVELOPES ->
			if
			:: env[e].max_ledger > 0 -> env[e].max_ledger--
			:: else
			fi;
			e++
		:: else -> break
		od;
		e = 0;
		do
		:: e < CHANNELS ->
			if
			:: worker[e].max_ledger > 0 -> worker[e].max_ledger--
			:: else
			fi;
			if
			:: worker[e].at == sleeping -> worker[e].at = looking
			:: worker[e].at == resting -> worker[e].at = choosing
			:: else
			fi;
			e++
		:: else -> break
		od;
		if
		:: paused.max_ledger > 0 -> paused.max_ledger--
		:: else
		fi;
		latest[0]--; latest[1]--; e = 0;
#ifdef RESTORE
		read = (read > 0 -> read - 1 : 0);
		until = (until > 0 && until != NONE -> until - 1 : until);
		seen_at[0] = (seen_at[0] > 0 -> seen_at[0] - 1 : 0); seen_at[1] = (seen_at[1] > 0 -> seen_at[1] - 1 : 0);
		paid_at[0] = (paid_at[0] > 0 -> paid_at[0] - 1 : 0); paid_at[1] = (paid_at[1] > 0 -> paid_at[1] - 1 : 0);
#endif
		count_ledger;
		printf("ledger %d closes\n", NUMBER(HEAD)) }
		/*
		 * It holds what core kept, and any part of all other bytes that still fit,
		 * whoever handed them in: a worker, one that was paused, or anybody who
		 * saw them. The rest got lost on its way, or was evicted.
		 */
		do
		:: e < ENVELOPES && !fits(e) -> e++
		:: e < ENVELOPES && fits(e) && !env[e].pending -> e++
		:: e < ENVELOPES && fits(e) ->
			if
			:: blamed = 0
			:: failures < FAILURES && !calm && has(env[e].intents, 0) -> blamed = 1
			:: failures < FAILURES && !calm && has(env[e].intents, 1) -> blamed = 2
			fi;
#ifdef BREAK_outer
			if
			:: env[e].raised -> env[e].stranger = true
			:: true
			fi;
#endif
			d_step {
			SEQ(env[e].channel, HEAD) = env[e].sequence;
			if
			:: blamed -> env[e].landed = failed; env[e].blamed = blamed; failures++; blamed = 0
			:: else ->
				env[e].landed = applied;
				payments[0] = payments[0] + has(env[e].intents, 0);
				payments[1] = payments[1] + has(env[e].intents, 1);
#ifdef RESTORE
				paid_at[0] = (has(env[e].intents, 0) -> HEAD : paid_at[0]);
				paid_at[1] = (has(env[e].intents, 1) -> HEAD : paid_at[1])
#endif
			fi;
			printf("envelope %d is in ledger %d: %e\n", e, NUMBER(HEAD), env[e].landed) }
			assert(payments[0] <= 1 && payments[1] <= 1);   /* the property */
#ifndef RESTORE
			assert(books.state[1] != cancelled || payments[1] == 0);
#endif
			e++
		:: e == ENVELOPES -> break
		od;
		d_step { e = 0; tidy() } }
	od
}

inline crash() {
	resume(worker[0], 0);
	resume(worker[1], 1);
#ifdef RESTORE
#ifndef BREAK_undoubting
	doubt = true;
#endif
	until = NONE;
	seen[0] = NONE; seen[1] = NONE; seen_at[0] = 0; seen_at[1] = 0;
#endif
	tidy()
}

#ifdef RESTORE
/* The books know what paid intent i, or it was not paid in what they have read. */
#define booked(i)      (books.state[i] == paid || holder(0, i) || holder(1, i))
#define holder(c, i)   (books.holds[c] != NONE && env[books.holds[c]].landed == applied && has(env[books.holds[c]].intents, i))
#define strange(i)     (payments[i] > 0 && paid_at[i] < read && !booked(i))
#define open(i)        (books.state[i] == queued || books.state[i] == waiting || books.state[i] == parked || books.state[i] == approval)
#ifdef BREAK_unproven
#define ahead(c, h)    (SEQ(c, latest[h]) > used(c))
#else
#define ahead(c, h)    (SEQ(c, latest[h]) > books.proven[c])
#endif
#define unseen(c, h)   (ahead(c, h) && !(seen[c] == SEQ(c, latest[h]) && read > seen_at[c]))

/* The stream that books what left our accounts, and a person who explains it. */
proctype Stream() {
end:	do
	:: d_step { read <= latest[0] ->
		read++;
		if
		:: strange(0) || strange(1) -> unexplained = true; printf("payouts pause: money left by an operation that the books do not know\n")
		:: else
		fi }
	:: d_step { unexplained && (strange(0) && open(0) || strange(1) && open(1)) ->
		if
		:: strange(0) && open(0) -> books.state[0] = paid
		:: else
		fi;
		if
		:: strange(1) && open(1) -> books.state[1] = paid
		:: else
		fi;
		printf("a person explains it\n");
		unexplained = strange(0) || strange(1) }
	od
}

inline see(c, h) {
	if
	:: ahead(c, h) && seen[c] != SEQ(c, latest[h]) && latest[h] >= until -> seen[c] = SEQ(c, latest[h]); seen_at[c] = latest[h]
	:: else
	fi
}

/* complete and accept: exchanges about each channel, and a commit. */
proctype Doubt() {
end:	do
	:: atomic { doubt ->
		if
		:: h_ = 0
		:: h_ = 1
		fi;
		if
		:: i_ = 0
		:: i_ = 1
		fi;
		d_step {
		if
		:: !ahead(0, h_) && !ahead(1, i_) -> doubt = false; until = NONE; seen[0] = NONE; seen[1] = NONE; seen_at[0] = 0; seen_at[1] = 0;
			printf("the books know of all that was signed\n")
		:: else ->
			if
			:: until == NONE -> until = LIFETIME + (ahead(0, h_) && (!ahead(1, i_) || latest[h_] > latest[i_]) -> latest[h_] : latest[i_]);
				printf("a channel is ahead of the books: nothing is signed until ledger %d is read\n", NUMBER(until))
			:: else -> see(0, h_); see(1, i_)
			fi;
			if
			:: !unexplained && !unseen(0, h_) && !unseen(1, i_) ->
				if
				:: ahead(0, h_) -> books.proven[0] = SEQ(0, latest[h_])
				:: else
				fi;
				if
				:: ahead(1, i_) -> books.proven[1] = SEQ(1, latest[i_])
				:: else
				fi;
				printf("the channels are accepted as they are\n")
			:: else
			fi
		fi;
		h_ = 0; i_ = 0 } }
	od
}

#define forgotten(e)   (valid(e) && !copy_holds(e))
#define fresh(c)       (SEQ(c, latest[1]) == SEQ(c, HEAD))
/* For longer than an envelope can live, and than a Horizon lags. */
#ifdef BREAK_hasty
#define waited         true
#else
#define waited         (!forgotten(0) && !forgotten(1) && !forgotten(2) && !forgotten(3) && fresh(0) && fresh(1))
#endif
proctype Operator() {
end:	do
	:: d_step { !calm && !copied -> copied = true;
		copy.state[0] = books.state[0]; copy.state[1] = books.state[1]; copy.holds[0] = books.holds[0]; copy.holds[1] = books.holds[1];
		copy.proven[0] = books.proven[0]; copy.proven[1] = books.proven[1];
		printf("the books are copied\n") }
	:: d_step { !calm && copied && !restored && waited -> restored = true; read = 0; unexplained = false;
		books.state[0] = copy.state[0]; books.state[1] = copy.state[1]; books.holds[0] = copy.holds[0]; books.holds[1] = copy.holds[1];
		books.proven[0] = copy.proven[0]; books.proven[1] = copy.proven[1];
		copy.state[0] = 0; copy.state[1] = 0; copy.holds[0] = NONE; copy.holds[1] = NONE; copy.proven[0] = 0; copy.proven[1] = 0;
		printf("the old copy is put back in their place; restart\n");
		crash() }
	od
}
#endif

inline pause(c) {
	paused.at = worker[c].at; paused.batch = worker[c].batch; paused.sequence = worker[c].sequence;
	paused.max_ledger = worker[c].max_ledger; paused.env = worker[c].env; paused.fate = worker[c].fate;
	paused_channel = c;
	printf("channel %d's worker is paused before a commit; another process starts\n", c)
}

/* What may go wrong. */
proctype Chaos() {
end:	do
#ifdef RESTORE
	:: d_step { restored -> printf("crash, and restart\n"); crash() }
#else
	:: d_step { !calm -> printf("crash, and restart\n"); crash() }
#endif
#ifdef PAUSE
	:: d_step { !calm && paused.at == resting && (worker[0].at == signing || worker[0].at == concluding) -> pause(0); crash() }
	:: d_step { !calm && paused.at == resting && (worker[1].at == signing || worker[1].at == concluding) -> pause(1); crash() }
	:: d_step { paused.at == signing ->
		record(paused, paused_channel);
		printf("channel %d's paused worker wakes and signs envelope %d\n", paused_channel, paused.env);
		wake(); tidy() }
	:: atomic { paused.at == concluding ->
		conclude(paused);
		d_step {
		printf("channel %d's paused worker wakes and writes down that envelope %d is %e\n", paused_channel, paused.env, paused.fate);
		wake(); tidy() } }
#endif
	od
}

#ifdef LIVENESS
proctype Calm() { calm = true; printf("from now on nothing goes wrong\n") }
#endif

init {
	atomic {
	books.state[0] = queued; books.state[1] = approval;
	books.holds[0] = NONE; books.holds[1] = NONE;
	latest[0] = HEAD; latest[1] = HEAD;
	env[0].landed = live; env[1].landed = live; env[2].landed = live; env[3].landed = live;
	forget(worker[0]); worker[0].at = choosing;
	forget(worker[1]); worker[1].at = choosing;
	forget(paused); paused.at = resting;
#ifdef RESTORE
	copy.holds[0] = NONE; copy.holds[1] = NONE; read = HEAD + 1; until = NONE; seen[0] = NONE; seen[1] = NONE;
	run Stream(); run Doubt(); run Operator();
#endif
	run Engine(0); run Engine(1); run Desk(); run Network(); run Chaos();
#ifdef LIVENESS
	run Calm()
#endif
	}
}

#ifdef LIVENESS
ltl ends { <>[] (ended(0) && ended(1)) }
#endif
