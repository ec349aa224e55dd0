"""The spend ledger: what X charges and sold, the budget, prices, and what the account says."""
