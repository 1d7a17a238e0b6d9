"""The program `moorage-agent`: one for each node, which answers the plugin's calls from memory."""
