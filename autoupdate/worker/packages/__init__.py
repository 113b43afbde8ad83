"""Which packages a release asks for and gets, and the installers that are asked: pip and uv."""
