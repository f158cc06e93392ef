"""The rules, one function each, in modules by what they look at. `registry.rules` loads them all."""
