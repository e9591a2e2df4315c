"""A graph as a picture: name scopes as nested boxes, laid out scope by scope, written as SVG, HTML, DOT or Mermaid."""
