"""Money: what X charges, the ledger of what it sold, and the budget."""
