"""The validation rules, one function each."""
