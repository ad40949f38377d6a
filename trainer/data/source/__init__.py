"""Where films come from: tables, folders, archives; and drawn ones."""
