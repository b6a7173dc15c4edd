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
    amountOut
    fee { total lines { label amount } }
    timeline { at label from to actor }
    staff {
      owner
      clientDomain
      payouts { purpose amount asset { code } destination state reason attempts hash }
      payments { from amount asset { code } memo hash state reason at }
      journal { at kind reference postings { account amount asset { code } } }
    }
  }
}
`,
    variables: '{ "id": "" }',
  },
  {
    query: `# Payments that arrived and belong to no transaction, and why.
query UnmatchedPayments {
  payments(unmatched: true, first: 20) {
    id
    at
    from
    amount
    asset { code issuer }
    memo
    reason
    hash
    ledger
  }
}
`,
    variables: '',
  },
]
