/** The tabs the playground opens with. */
export const examples = [
  {
    query: `# The newest transactions. Variables narrow them, such as
# {"filter": {"status": ["pending_external"]}}
query TransactionsList($filter: TransactionFilter) {
  transactions(first: 20, filter: $filter) {
    nodes {
      id
      kind
      status
      amountIn
      assetIn { code }
      amountOut
      assetOut { code }
      account
      startedAt
      deadline
    }
    endCursor
  }
}
`,
    variables: '{ "filter": {} }',
  },
  {
    query: `# Everything about one transaction: its steps, its payouts, its journal.
# Put the id into the variables below.
query OneTransaction($id: ID!) {
  transaction(id: $id) {
    kind
    status
    message
    amountIn
    assetIn { code }
    amountOut
    assetOut { code }
    rate
    fee { total lines { label amount } }
    timeline { at label from to actor }
    staff {
      owner
      clientDomain
      payouts { purpose amount asset { code } destination state reason attempts hash }
      payments { from amount asset { code } memo hash state reason at }
      bankPayouts { purpose amount to { name value } state reason bankId }
      bankLines { payerName amount reference state reason at }
      journal { at kind reference postings { account amount asset { code } } }
      audit { at actor event from to subject note }
      actions
    }
  }
}
`,
    variables: '{ "id": "" }',
  },
  {
    query: `# Money that arrived and belongs to no transaction, and why; actions says what
# may be done about it. docs/staff.md has a mutation for every situation.
query UnmatchedMoney {
  payments(unmatched: true, oldestFirst: true) {
    nodes {
      id
      at
      from
      amount
      asset { code issuer }
      memo
      reason
      transaction
      policyAt
      actions
    }
    endCursor
  }
  bankLines(unmatched: true, oldestFirst: true) {
    nodes {
      id
      at
      payerName
      amount
      asset { code }
      reference
      reason
      transaction
      policyAt
      actions
    }
    endCursor
  }
}
`,
    variables: '',
  },
  {
    query: `# What else waits for a person.
query WaitsForUs {
  toReview: transactions(
    filter: { toReview: true }
    oldestFirst: true
  ) {
    nodes { id kind startedAt staff { actions } }
    endCursor
  }
  held: transactions(
    filter: {
      status: [on_hold, error, too_small, too_large, no_market]
    }
    oldestFirst: true
  ) {
    nodes { id kind status amountIn staff { actions } }
    endCursor
  }
  parked: payouts(state: parked, oldestFirst: true) {
    nodes { id purpose amount reason actions }
    endCursor
  }
  aboveLimit: payouts(state: approval, oldestFirst: true) {
    nodes { id purpose amount requestedBy actions }
    endCursor
  }
  bankPayouts(undecided: true, oldestFirst: true) {
    nodes { id state purpose amount reason actions }
    endCursor
  }
  outgoing(unexplained: true, oldestFirst: true) {
    nodes { id destination amount hash actions }
    endCursor
  }
  pauses { key reason actor since }
}
`,
    variables: '',
  },
  {
    query: `# Sends an unmatched payment back to its sender. The key is yours to choose, such
# as a ticket's number: the same again under it is not done twice.
mutation SendBack {
  refundPayment(
    payment: ""
    key: ""
    note: ""
  ) {
    state
    refund { id amount destination state hash }
  }
}
`,
    variables: '',
  },
  {
    query: `# Gives a bank transfer with a wrong reference to the deposit that it is for.
mutation GiveToDeposit {
  assignBankLine(
    line: ""
    transaction: ""
    key: ""
    note: ""
  ) {
    status
    amountOut
    staff { payouts { amount state } }
  }
}
`,
    variables: '',
  },
]
