"""Changes to graphs: new nodes, drafts, edits that are applied together, new names."""
