/** A type of the DOM that the declarations of the MCP SDK name; those of Node 20 have it under no global name. */
type HeadersInit = NonNullable<ConstructorParameters<typeof Headers>[0]>;
