/** The declarations of the MCP SDK use this type of the DOM. The declarations of Node 20 have no global type of this name. */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
