cases![];
