"""Verbs: one file, one public function; the only place where edges meet."""
