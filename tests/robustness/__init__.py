"""What a server has to live through: crowds, floods, noise, changes under way, and its end."""
