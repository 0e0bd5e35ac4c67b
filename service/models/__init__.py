"""The models that answer: the catalog, what loads and watches them, and the doctor that explains the machine."""
