"""Columns of text to packed pairs with a verdict each: tables, repairs, rules and their sum."""
