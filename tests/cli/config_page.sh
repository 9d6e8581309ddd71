# docs/config.md is made from the option tables: make docs
"$MEDGRAFT" --config-markdown >config.md && diff "$SOURCE/docs/config.md" config.md
