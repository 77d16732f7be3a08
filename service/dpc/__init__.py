"""CMS out: authentication, transport, errors and the verbs of the DPC API."""
